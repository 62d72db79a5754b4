package clientauth

import (
	"testing"
	"time"
)

func FuzzParseAssertion(f *testing.F) {
	for _, seed := range []string{
		`{"iss":"a","sub":"a","aud":"x","exp":1,"jti":"j"}`, `{"aud":["x","y"],"exp":1.5,"iat":-1,"nbf":1e300}`, `{"aud":1}`, `{"exp":null}`, `{"sub":"a","sub":"b"}`, `[]`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := parseAssertion(payload)
		if err != nil {
			return
		}
		if !clean(c.issuer) || !clean(c.subject) || !clean(c.id) {
			t.Fatalf("%q: a claim that no store keeps", payload)
		}
		if c.hasExp && (c.expires.After(time.Unix(1<<40+1, 0)) || c.expires.IsZero()) {
			t.Fatalf("%q: exp is %v", payload, c.expires)
		}
	})
}
