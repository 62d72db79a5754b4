package pages_test

import "github.com/valetkey/valetkey/internal/pages"

var developmentSamples = []sample{
	{"development", pages.Shell{User: maria, Session: session}, pages.Development{
		URL: "http://127.0.0.1:5000", Users: []string{"maria@example.org"}, Password: "123456",
		Commands: []string{`curl -i http://127.0.0.1:5000/ -H "Authorization:Bearer $TOKEN"`}}},
	{"development_empty", pages.Shell{}, pages.Development{}},
}
