package issuer_test

import (
	"strings"
	"testing"

	"github.com/valetkey/valetkey/internal/issuer"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ issuer, want string }{ // want: part of the sentence; empty: it is one
		{"https://id.example.org", ""},
		{"https://id.example.org:8443", ""},
		{"https://id.example.org/auth/v1.0_x~y", ""},
		{"https://192.0.2.7", ""},
		{"http://localhost", ""},
		{"http://127.0.0.1:5000/auth", ""},
		{"http://[::1]:5000", ""},
		{"", "it is missing"},
		{"id.example.org", "is not a URL"},
		{"https:id.example.org", "is not a URL"},
		{"https://", "is not a URL"},
		{"https://:443", "is not a URL"},
		{"https:///auth", "is not a URL"},
		{"HTTPS://id.example.org", "is not a URL"},
		{"ftp://id.example.org", "is not a URL"},
		{" https://id.example.org", "is not a URL"},
		{"https://id.example.org\n", "is not a URL"},
		{"https://user@id.example.org", "must not hold"},
		{"https://id.example.org?a=b", "must not hold"},
		{"https://id.example.org?", "must not hold"},
		{"https://id.example.org#", "must not hold"},
		{"https://id.example.org:", "port"},
		{"https://id.example.org:0", "port"},
		{"https://id.example.org:99999", "port"},
		{"https://id.example.org/", "must not end in a slash"},
		{"https://id.example.org/auth/", "must not end in a slash"},
		{"https://id.example.org//auth", "its path"},
		{"https://id.example.org/a/../b", "its path"},
		{"https://id.example.org/./b", "its path"},
		{"https://id.example.org/{id}", "its path"},
		{"https://id.example.org/a b", "its path"},
		{"https://id.example.org/a%2Fb", "its path"},
		{"https://id.example.org/ä", "its path"},
		{"http://id.example.org", "plain http"},
		{"http://127.0.0.1.example.org", "plain http"},
		{"http://0.0.0.0", "plain http"},
	} {
		err := issuer.Check(tt.issuer)
		if tt.want == "" && err != nil {
			t.Errorf("%q: got %v, want none", tt.issuer, err)
		}
		if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%q: got %v, want %q", tt.issuer, err, tt.want)
		}
	}
}
