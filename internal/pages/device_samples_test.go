package pages_test

import (
	"net/url"
	"time"

	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/oauth"
)

var television = &oauth.Client{
	ID: "8television", Type: oauth.NativeApplication, Name: "Living-room TV", Website: "https://tv.example/", AuthMethod: oauth.AuthNone,
	GrantTypes: []string{oauth.GrantDeviceCode, oauth.GrantRefreshToken}, CreatedAt: now.AddDate(0, -1, 0),
}

var deviceSamples = []sample{
	{"device", narrow, pages.DeviceInput{Form: pages.Form{Values: url.Values{"user_code": {"WDJB-MJHT"}}}, SwitchAccount: "/device?account=other&user_code=WDJB-MJHT"}},
	{"device_wrong", narrow, pages.DeviceInput{Form: pages.Form{Values: url.Values{"user_code": {"wdjb mjh"}}, Errors: []pages.FieldError{
		{Field: "user_code", Message: "That code is not valid. Codes expire after 10 minutes; get a new one on your device."}}}}},
	{"device_empty", pages.Shell{}, pages.DeviceInput{}},

	{"device_confirm", narrow, pages.DeviceConfirm{Request: "REQUEST", Client: television, Publisher: "Jane Doe", UserCode: "WDJB-MJHT", AskedAt: now.Add(-2 * time.Minute),
		Network: "192.0.2.0/24", Agent: "TvApp/2.1 (Linux; armv7)", Elsewhere: true, Scopes: groups, Resources: []string{"Archive", "https://api.example"}, Offline: true}},
	{"device_confirm_hostile", narrow, pages.DeviceConfirm{Request: "REQUEST", Client: hostile, Publisher: "<b>x</b>\u202e", UserCode: "WDJB-MJHT", AskedAt: now,
		Network: "2001:db8::/48", Agent: "<script>alert(1)</script>\u202e\nsecond line"}},
	{"device_confirm_dynamic", narrow, pages.DeviceConfirm{Request: "REQUEST", Client: dynamic, UserCode: "WDJB-MJHT", AskedAt: now, Network: "192.0.2.0/24"}},
	{"device_confirm_document", narrow, pages.DeviceConfirm{Request: "REQUEST", Client: document, UserCode: "WDJB-MJHT", AskedAt: now, Network: "192.0.2.0/24"}},
	{"device_confirm_empty", pages.Shell{}, pages.DeviceConfirm{Client: empty, AskedAt: now}},

	{"device_done", narrow, pages.DeviceDone{Client: television, Allowed: true}},
	{"device_done_denied", narrow, pages.DeviceDone{Client: television}},
	{"device_done_empty", pages.Shell{}, pages.DeviceDone{Client: empty}},
}
