package pages_test

import "github.com/valetkey/valetkey/internal/pages"

// logoutSamples are the pages of the logout room.
var logoutSamples = []sample{
	{"end_session", narrow, pages.EndSession{Application: "Zenodo Uploader", SignedIn: true,
		Hidden: map[string]string{"client_id": app.ID, "post_logout_redirect_uri": "https://uploader.example/bye?a=b&c", "state": `"><script>`}}},
	{"end_session_problem", narrow, pages.EndSession{SignedIn: true, Parameter: "post_logout_redirect_uri",
		Problem: "Without id_token_hint or client_id nobody knows whose it is.", RequestID: "01JDREQUEST"}},
	{"end_session_nobody", pages.Shell{}, pages.EndSession{Parameter: "id_token_hint", Problem: "It is no ID token that this server made."}},
	{"end_session_empty", pages.Shell{}, pages.EndSession{}},
	{"signed_out", pages.Shell{Frames: []string{"https://uploader.example"}}, pages.SignedOut{Application: app.Name, Continue: "https://uploader.example/bye?state=x%20y",
		Frames: []string{"https://uploader.example/front?iss=https%3A%2F%2Fexample.org&sid=S"}, Told: []string{app.Name, hostile.Name}}},
	{"signed_out_native", pages.Shell{}, pages.SignedOut{Continue: "com.example.notebook:/bye", Told: []string{native.Name}}},
	{"signed_out_empty", pages.Shell{}, pages.SignedOut{}},
}
