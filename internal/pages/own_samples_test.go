package pages_test

import (
	"github.com/valetkey/valetkey/internal/pages"
)

var ownSamples = []sample{
	{"error_404", pages.Shell{}, pages.ErrorPage{Status: 404}},
	{"error_500", pages.Shell{User: maria, Session: session}, pages.ErrorPage{Status: 500, RequestID: "01JDREQUESTID"}},
}
