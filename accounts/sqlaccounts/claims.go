package sqlaccounts

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"

	"github.com/valetkey/valetkey/oauth"
)

// claimsText keeps claims as one JSON text, with the names that OpenID Connect
// gives them; none at all is the empty text, so that most rows cost nothing to read.
type claimsText struct{ claims *oauth.UserClaims }

// Value implements [driver.Valuer].
func (c claimsText) Value() (driver.Value, error) {
	if *c.claims == (oauth.UserClaims{}) {
		return "", nil
	}
	text, err := json.Marshal(c.claims)
	return string(text), err
}

// Scan implements [sql.Scanner].
func (c claimsText) Scan(v any) error {
	*c.claims = oauth.UserClaims{}
	var text []byte
	switch v := v.(type) {
	case string:
		text = []byte(v)
	case []byte:
		text = v
	default:
		return fmt.Errorf("claims are a %T", v)
	}
	if len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, c.claims)
}
