// Package interop holds no code, only tests: clients that others wrote, as
// relying parties of the real program. Each goes through its own idea of the
// protocol against "valetkey serve", while a person signs in and consents by the
// HTML forms, without JavaScript. A test is named after the client and after
// what it shows; the table in README.md is made of these names.
//
//	go test ./...            the Go clients
//	cd npm && npm test       those of npm, one of them in Chromium
//	debian/run               those of Debian that are installed
package interop
