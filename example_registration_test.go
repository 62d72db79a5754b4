package valetkey_test

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/store/memstore"
)

// Programs that find the server by themselves, such as AI agents with MCP, can
// register themselves, or be described by a document at their own address.
func ExampleRegistration() {
	as, err := valetkey.New(valetkey.Config{
		Issuer: "https://example.org", Store: memstore.New(), Login: myLogin, Users: myUsers,
		Registration:    valetkey.Registration{Mode: "open"},
		ClientDocuments: valetkey.ClientDocuments{Enabled: true, Deny: []string{"*.evil.example"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/oauth/register", strings.NewReader(
		`{"client_name": "Agent", "redirect_uris": ["http://127.0.0.1/callback"], "application_type": "native", "token_endpoint_auth_method": "none"}`))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	as.ServeHTTP(w, r)
	var client struct {
		ID     string   `json:"client_id"`
		Name   string   `json:"client_name"`
		Grants []string `json:"grant_types"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &client); err != nil {
		log.Fatal(err)
	}
	fmt.Println(w.Code, client.Name, client.Grants, client.ID != "")
	// Output: 201 Agent [authorization_code] true
}
