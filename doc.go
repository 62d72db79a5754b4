// Package valetkey is an OAuth 2 server that mounts inside a web app.
//
// It gives the app what developers know as "Developer settings": personal access
// tokens, third-party applications, a consent page, a list of who may do what,
// and guards for the API; and the protocol below it.
//
//	               +--------------------------------------------+
//	browser  ----> |  /oauth/authorize   consent                |
//	client   ----> |  /oauth/token /oauth/revoke …              |--> store.Store
//	person   ----> |  /account/settings/applications/           |
//	               +--------------------------------------------+
//	                    |                       |
//	           who is at the keyboard?   who is subject X?
//	            oauth.Authenticator       oauth.UserSource
//
// A host app supplies the two answers and a store:
//
//	as, err := valetkey.New(valetkey.Config{
//		Issuer: "https://example.org",
//		Store:  sqlstore.New(db, sqlstore.SQLite),
//		Login:  myLogin,
//		Users:  myUsers,
//		Scopes: []oauth.Scope{{Name: "records:read", Group: "Records", Description: "Read your records"}},
//	})
//	mux.Handle("/", as)
//	mux.Handle("GET /api/records", as.RequireScopes("records:read")(records))
//
// An app without users of its own takes both answers from package accounts, as
// the valetkey command does.
//
// Nothing is global, and nothing runs in the background unless [Server.Start]
// is called.
package valetkey
