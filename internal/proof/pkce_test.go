package proof_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/internal/proof"
	"github.com/valetkey/valetkey/oauth"
)

// The example of RFC 7636 Appendix B.
const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

func TestM43_ChallengeMethods(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		challenge, method string
		required, ok      bool
	}{
		"S256":                  {challenge, "S256", true, true},
		"S256, not required":    {challenge, "S256", false, true},
		"neither":               {"", "", false, true},
		"neither, but required": {"", "", true, false},
		"method alone":          {"", "S256", false, false},
		"no method":             {challenge, "", false, false},
		"plain":                 {challenge, "plain", false, false},
		"lower case":            {challenge, "s256", false, false},
		"space":                 {challenge, "S256 ", false, false},
		"S512":                  {challenge, "S512", false, false},
		"two lines":             {challenge, "plain\nS256", false, false},
		"short challenge":       {challenge[:42], "S256", false, false},
		"long challenge":        {challenge + "A", "S256", false, false},
		"padded challenge":      {challenge + "=", "S256", false, false},
		"not base64url":         {strings.Repeat("+", 43), "S256", false, false},
		"trailing bits":         {challenge[:42] + "N", "S256", false, false},
		"line feed":             {challenge[:42] + "\n" + challenge[42:], "S256", false, false},
	} {
		got, err := proof.Challenge(tt.challenge, tt.method, tt.required)
		if tt.ok && (err != nil || got != tt.challenge) || !tt.ok && (!errors.Is(err, oauth.InvalidRequest) || got != "") {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

func TestM41_VerifyPKCE(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		challenge, verifier string
		ok                  bool
	}{
		"RFC 7636 Appendix B":        {challenge, verifier, true},
		"neither":                    {"", "", true},
		"verifier without challenge": {"", verifier, false},
		"challenge without verifier": {challenge, "", false},
		"the challenge itself":       {challenge, challenge, false},
		"42 characters":              {challenge, verifier[:42], false},
		"129 characters":             {challenge, strings.Repeat("a", 129), false},
		"illegal in the middle":      {challenge, verifier[:20] + "+" + verifier[21:], false},
		"case":                       {challenge, strings.ToLower(verifier), false},
	} {
		err := proof.VerifyPKCE(tt.challenge, tt.verifier)
		if tt.ok && err != nil || !tt.ok && !errors.Is(err, oauth.InvalidGrant) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
