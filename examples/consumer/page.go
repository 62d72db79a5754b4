package main

import (
	"html/template"
	"net/http"
)

// page shows the token and what can be done with it. It shows the token itself
// because that is what the example is for; an application would not.
func (c *consumer) page(w http.ResponseWriter, r *http.Request, v *visit) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "same-origin")
	q := r.URL.Query()
	data := map[string]any{
		"Error": q.Get("error"), "Description": q.Get("error_description"),
		"Issuer": c.issuer, "Resource": c.resource, "Client": c.config.ClientID,
		"Token": v.token, "Answer": v.answer,
	}
	if v.token != nil {
		data["Scope"], data["User"] = v.token.Extra("scope"), v.token.Extra("user")
	}
	pageTemplate.Execute(w, data)
}

var pageTemplate = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><title>Consumer</title>
<h1>Example consumer</h1>
{{with .Error}}<p role="alert">The server answered <code id="error">{{.}}</code>. {{$.Description}}</p>{{end}}
{{if .Token}}
<form method="post" action="/refresh"><button id="refresh" type="submit">Ask for a new token by refresh</button></form>
<form method="post" action="/authorize"><button id="authorize" type="submit">Ask for a new token by a new flow</button></form>
<form method="post" action="/resource"><button id="resource" type="submit">Call {{.Resource}}</button></form>
<form method="post" action="/forget"><button id="forget" type="submit">Forget the token</button></form>
<h2>The token</h2>
<dl>
<dt>Access token</dt><dd><code id="access-token">{{.Token.AccessToken}}</code></dd>
<dt>Type</dt><dd>{{.Token.TokenType}}</dd>
<dt>Expires</dt><dd><time>{{.Token.Expiry.Format "2006-01-02 15:04:05 MST"}}</time></dd>
<dt>Scope</dt><dd id="scope">{{.Scope}}</dd>
<dt>Refresh token</dt><dd><code id="refresh-token">{{or .Token.RefreshToken "none"}}</code></dd>
{{with .User}}<dt>User</dt><dd id="user">{{.}}</dd>{{end}}
</dl>
{{with .Answer}}<h2>What the resource answered</h2><pre id="answer">{{.}}</pre>{{end}}
{{else}}
<form method="post" action="/authorize"><button id="authorize" type="submit">Sign in at {{.Issuer}}</button></form>
<p>This is the client <code>{{.Client}}</code>. It has no token yet.</p>
{{end}}
`))
