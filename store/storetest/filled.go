package storetest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// filled returns a V with something in every field, so that no field can be
// forgotten by a store. Each seed makes other values.
func filled[V any](t *testing.T, seed int) *V {
	t.Helper()
	v := new(V)
	fill(t, reflect.ValueOf(v).Elem(), reflect.TypeFor[V]().Name(), &seed)
	return v
}

func fill(t *testing.T, v reflect.Value, name string, n *int) {
	t.Helper()
	*n++
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = start.Add(time.Duration(*n) * time.Microsecond)
		return
	case *time.Duration:
		*p = time.Duration(*n) * time.Microsecond
		return
	case *json.RawMessage:
		*p = fmt.Appendf(nil, `{"keys":[%d]}`, *n)
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("%s%d", name, *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8:
		v.SetUint(uint64(*n%255 + 1))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), name, n)
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		}
		for i := range v.Len() {
			fill(t, v.Index(i), name, n)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key, name, n)
		fill(t, value, name, n)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), v.Type().Field(i).Name, n)
		}
	default:
		t.Fatalf("%s: the suite cannot fill a %s", name, v.Type())
	}
	if v.IsZero() {
		t.Fatalf("%s is still zero", name)
	}
}

// scribble writes over everything that v shares with whoever has a copy of it.
func scribble(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			scribble(v.Elem())
			v.Elem().SetZero()
		}
	case reflect.Slice:
		for i := range v.Len() {
			v.Index(i).SetZero()
		}
	case reflect.Map:
		v.Clear()
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			scribble(v.Field(i))
		}
	}
}

// kept creates a row, and reads it back twice: what the caller does to what it
// gave or got must not reach the store.
func kept[V any](t *testing.T, s *suite, want *V, create func(*V) error, read func() (*V, error)) {
	t.Helper()
	given, err := clone(want)
	s.must(err)
	s.must(create(given))
	scribble(reflect.ValueOf(given))
	for range 2 {
		got, err := read()
		s.must(err)
		equal(t, got, want)
		scribble(reflect.ValueOf(got))
	}
}

// clone copies deeply whatever the rows are made of.
func clone[V any](v *V) (*V, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	out := new(V)
	return out, json.Unmarshal(b, out)
}

var filledTests = map[string]func(*testing.T, *suite){
	"Client": func(t *testing.T, s *suite) {
		want := filled[oauth.Client](t, 0)
		want.ID = "c1"
		read := func() (*oauth.Client, error) { return s.Client(s.ctx, "c1") }
		kept(t, s, want, func(c *oauth.Client) error { return s.CreateClient(s.ctx, c) }, read)
		next := filled[oauth.Client](t, 1000)
		next.ID, next.CreatedAt = "c1", want.CreatedAt
		kept(t, s, next, func(c *oauth.Client) error { return s.UpdateClient(s.ctx, c) }, read)
		bare := &oauth.Client{ID: "c1", CreatedAt: want.CreatedAt, UpdatedAt: start}
		kept(t, s, bare, func(c *oauth.Client) error { return s.UpdateClient(s.ctx, c) }, read)
	},
	"ClientSecret": func(t *testing.T, s *suite) {
		s.client("c1")
		want := filled[oauth.ClientSecret](t, 0)
		want.ClientID = "c1"
		kept(t, s, want, func(c *oauth.ClientSecret) error { return s.CreateClientSecret(s.ctx, c) },
			only(func() ([]*oauth.ClientSecret, error) { return s.ClientSecrets(s.ctx, "c1") }))
	},
	"Grant": func(t *testing.T, s *suite) {
		s.client("c1")
		want := filled[oauth.Grant](t, 0)
		want.ClientID = "c1"
		kept(t, s, want, func(g *oauth.Grant) error { return s.CreateGrant(s.ctx, g) },
			func() (*oauth.Grant, error) { return s.Grant(s.ctx, want.ID) })
		live := filled[oauth.Grant](t, 1000)
		live.ClientID, live.RevokedAt = "c1", time.Time{}
		kept(t, s, live, func(g *oauth.Grant) error { return s.CreateGrant(s.ctx, g) },
			only(func() ([]*oauth.Grant, error) { return s.LiveGrants(s.ctx, live.Subject, "c1") }))
	},
	"Code": func(t *testing.T, s *suite) {
		s.client("c1")
		g := s.grant("g1", "c1", "alice")
		want := filled[oauth.AuthorizationCode](t, 0)
		want.GrantID, want.ClientID, want.Subject = g.ID, g.ClientID, g.Subject
		kept(t, s, want, func(c *oauth.AuthorizationCode) error { return s.CreateCode(s.ctx, c) },
			func() (*oauth.AuthorizationCode, error) { return s.Code(s.ctx, want.ID) })
	},
	"Token": func(t *testing.T, s *suite) {
		s.client("c1")
		g := s.grant("g1", "c1", "alice")
		for i, grantID := range []string{g.ID, ""} {
			want := filled[oauth.Token](t, 1000*i)
			want.GrantID, want.ClientID, want.Subject = grantID, g.ClientID, g.Subject
			create := func(c *oauth.Token) error { return s.CreateToken(s.ctx, c) }
			kept(t, s, want, create, func() (*oauth.Token, error) { return s.Token(s.ctx, want.ID) })
			kept(t, s, want, func(*oauth.Token) error { return nil }, only(func() ([]*oauth.Token, error) {
				return s.ListTokens(s.ctx, store.TokenQuery{Kind: want.Kind}, store.Page{Limit: 10})
			}))
		}
	},
	"Request": func(t *testing.T, s *suite) {
		s.client("c1")
		want := filled[oauth.AuthorizationRequest](t, 0)
		want.ClientID = "c1"
		kept(t, s, want, func(r *oauth.AuthorizationRequest) error { return s.CreateRequest(s.ctx, r) },
			func() (*oauth.AuthorizationRequest, error) { return s.Request(s.ctx, want.ID) })
	},
	"PushedRequest": func(t *testing.T, s *suite) {
		s.client("c1")
		want := filled[oauth.PushedRequest](t, 0)
		want.ClientID = "c1"
		want.Form = map[string]string{"state": "a=b&c", "nonce": `"<é>\`, "prompt": "", "claims": `{"id_token":{"acr":null}}`}
		create := func(r *oauth.PushedRequest) error { return s.CreatePushedRequest(s.ctx, r) }
		kept(t, s, want, create, func() (*oauth.PushedRequest, error) { return s.PushedRequest(s.ctx, want.ID) })
		bare := &oauth.PushedRequest{ID: "p2", ClientID: "c1", CreatedAt: start, ExpiresAt: start}
		kept(t, s, bare, create, func() (*oauth.PushedRequest, error) { return s.PushedRequest(s.ctx, "p2") })
	},
	"DeviceCode": func(t *testing.T, s *suite) {
		s.client("c1")
		g := s.grant("g1", "c1", "alice")
		want := filled[oauth.DeviceCode](t, 0)
		want.ClientID, want.GrantID, want.Subject = g.ClientID, g.ID, g.Subject
		create := func(d *oauth.DeviceCode) error { return s.CreateDeviceCode(s.ctx, d) }
		kept(t, s, want, create, func() (*oauth.DeviceCode, error) { return s.DeviceCode(s.ctx, want.ID) })
		bare := &oauth.DeviceCode{ID: "d2", UserCode: "BCDFGHJK", ClientID: "c1", IssuedAt: start, ExpiresAt: start}
		kept(t, s, bare, create, func() (*oauth.DeviceCode, error) { return s.DeviceCodeByUserCode(s.ctx, "BCDFGHJK") })
	},
	"SessionClient": func(t *testing.T, s *suite) {
		s.client("c1")
		want := filled[oauth.SessionClient](t, 0)
		want.ClientID = "c1"
		kept(t, s, want, func(c *oauth.SessionClient) error { return s.AddSessionClient(s.ctx, c) },
			only(func() ([]*oauth.SessionClient, error) { return s.SessionClients(s.ctx, want.SID) }))
	},
	"SigningKey": func(t *testing.T, s *suite) {
		want := filled[store.SigningKey](t, 0)
		read := only(func() ([]*store.SigningKey, error) { return s.SigningKeys(s.ctx) })
		kept(t, s, want, func(k *store.SigningKey) error { return s.CreateKey(s.ctx, k) }, read)
	},
	// A secret that is kept with the keys has no public half.
	"Secret": func(t *testing.T, s *suite) {
		want := &store.SigningKey{ID: "k1", Algorithm: "pairwise", State: store.KeyActive, Sealed: "x", CreatedAt: start}
		kept(t, s, want, func(k *store.SigningKey) error { return s.CreateKey(s.ctx, k) },
			only(func() ([]*store.SigningKey, error) { return s.SigningKeys(s.ctx) }))
	},
	"Event": func(t *testing.T, s *suite) {
		want := filled[oauth.Event](t, 0)
		kept(t, s, want, func(e *oauth.Event) error { return s.RecordEvent(s.ctx, *e) },
			only(func() ([]*oauth.Event, error) { return s.ListEvents(s.ctx, store.EventQuery{}, store.Page{Limit: 2}) }))
	},
	// What differs in nothing but white space is the same JSON.
	"Metadata": func(t *testing.T, s *suite) {
		zero := int64(0)
		s.must(s.CreateClient(s.ctx, &oauth.Client{ID: "c1", CreatedAt: start, Metadata: oauth.ClientMetadata{
			JWKS: json.RawMessage("{ \"keys\" : [\n] }"), Contacts: []string{}, DefaultMaxAge: &zero}}))
		got, err := s.Client(s.ctx, "c1")
		s.must(err)
		equal(t, got.Metadata, oauth.ClientMetadata{JWKS: json.RawMessage(`{"keys":[]}`), DefaultMaxAge: &zero})
		if err := s.CreateClient(s.ctx, &oauth.Client{ID: "c2", Metadata: oauth.ClientMetadata{JWKS: json.RawMessage("{")}}); err == nil {
			t.Error("a client was created with keys that are no JSON")
		}
		_, err = s.Client(s.ctx, "c2")
		s.want(err, store.ErrNotFound)
	},
}

// only reads a list of one row.
func only[V any](list func() ([]*V, error)) func() (*V, error) {
	return func() (*V, error) {
		rows, err := list()
		if err == nil && len(rows) != 1 {
			err = fmt.Errorf("got %d rows, want one", len(rows))
		}
		if err != nil {
			return nil, err
		}
		return rows[0], nil
	}
}
