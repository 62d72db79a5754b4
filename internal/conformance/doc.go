// Package conformance holds the rows that the OpenID Foundation's conformance
// plans check of a provider against the real program, run as docs/conformance.md
// tells a person to run it: "valetkey serve" with the configuration, the clients
// and the user of docs/conformance, over TLS, seen from outside only.
//
// It is no substitute for the suite itself, which is somebody else's reading of
// the specifications; it is what keeps the suite green between its runs.
//
// A relying party (party_test.go) registers, authorizes through the HTML forms
// without JavaScript, and holds every answer to the rows that apply to all plans
// (checks_test.go). A plan is a file: plan_basic_test.go is run for every
// response type and mode, for what the Basic, Implicit, Hybrid and Form Post
// plans check is the same but for that.
package conformance
