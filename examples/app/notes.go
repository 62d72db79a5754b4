package main

import (
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"sync"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/oauth"
)

// notes is what the app is about.
type notes struct {
	people *people
	proof  func(*oauth.Session) string

	mu     sync.Mutex
	byUser map[string][]string
}

func (n *notes) of(subject string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string{}, n.byUser[subject]...)
}

// list answers with the notes of whoever asks, by token or by session.
func (n *notes) list(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(n.of(valetkey.PrincipalFrom(r.Context()).Subject))
}

// add takes {"text": "…"}.
func (n *notes) add(w http.ResponseWriter, r *http.Request) {
	var note struct{ Text string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&note); err != nil || note.Text == "" {
		http.Error(w, `send {"text": "…"}`, http.StatusBadRequest)
		return
	}
	who := valetkey.PrincipalFrom(r.Context()).Subject
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.byUser == nil {
		n.byUser = map[string][]string{}
	}
	n.byUser[who] = append(n.byUser[who], note.Text)
	w.WriteHeader(http.StatusCreated)
}

// page shows the notes to a person. Its script calls the same API as everybody
// else, and sends along the proof that it is a page of this app.
func (n *notes) page(w http.ResponseWriter, r *http.Request) {
	session, err := n.people.Session(r)
	if err != nil || session == nil {
		n.people.Login(w, r, oauth.LoginRequest{ReturnTo: "/"})
		return
	}
	list := n.of(session.Subject)
	slices.Reverse(list)
	pageTemplate.Execute(w, map[string]any{"Who": session.Subject, "Notes": list, "Proof": n.proof(session)})
}

var pageTemplate = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><title>Notes</title>
<h1>Notes of {{.Who}}</h1>
<form id="add" data-proof="{{.Proof}}"><input name="text" aria-label="New note" required> <button type="submit">Add</button></form>
<ul>{{range .Notes}}<li>{{.}}</li>{{else}}<li>None yet.</li>{{end}}</ul>
<p><a href="/account/settings/applications/">Settings</a> · <a href="/logout/">Sign out</a></p>
<script>
document.getElementById("add").onsubmit = async (event) => {
	event.preventDefault();
	const form = event.target;
	await fetch("/api/notes", {
		method: "POST",
		headers: {"Content-Type": "application/json", "X-CSRF-Token": form.dataset.proof},
		body: JSON.stringify({text: form.text.value}),
	});
	location.reload();
};
</script>
`))
