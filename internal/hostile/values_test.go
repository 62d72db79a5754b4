package hostile

import "strings"

var methods = []string{"GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECTED", "get", "PROPFIND", "X"}

var contentTypes = []string{
	"", "application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=utf-7", "APPLICATION/X-WWW-FORM-URLENCODED",
	"application/json", "application/json; charset=utf-16", "application/problem+json", "multipart/form-data", "multipart/form-data; boundary=x",
	"multipart/form-data; boundary=\"", "text/plain", "text/html", "application/xml", "*/*", ";;;", "application/x-www-form-urlencoded, application/json",
}

// values replace a parameter; they are sent as they stand.
var values = []string{
	"", "%00", "%0d%0aX-Injected:%20yes", "%0aSet-Cookie:%20x=1", "%ff%fe", "%zz", "%", "+", "%20", "%e2%80%ae", "%c0%af",
	"%3Cvkmark%3E", "%22%3E%3Cvkmark%20x=1%3E", "'-alert(1)-'%3Cvkmark%3E", "%3C/script%3E%3Cvkmark%3E", "javascript:alert(1)//%3Cvkmark%3E",
	"%7B%7B.%7D%7D%3Cvkmark%3E", "%24%7B7*7%7D", "%25%33%43vkmark%25%33%45",
	"https://evil.example/", "//evil.example/", "/%5Cevil.example", "https:%2F%2Fapp.example@evil.example/callback", "https://app.example.evil.example/callback",
	"http://127.0.0.1:1@evil.example/", "https://app.example/callback%23fragment", "https://app.example/callback/../x", "data:text/html,%3Cvkmark%3E",
	"'%20OR%20'1'='1", "1;DROP%20TABLE%20oauth_tokens", "%25", "_", "\\", "%5c%5c", "..%2f..%2f..%2fetc%2fpasswd",
	"0", "-1", "1e309", "99999999999999999999999999", "NaN", "null", "true", "[]", "%7B%7D", "2026-13-45", "0001-01-01", "9999-12-31",
	"openid", "test:scope%20test:scope", "test:scope%20%20user:email", "user:email,test:scope", "*", "admin", "none", "login", "S512", "plain",
	strings.Repeat("A", 64<<10), strings.Repeat("%3Cvkmark%3E", 2000), strings.Repeat("a%20", 10000), strings.Repeat("%f0%9f%91%be", 500),
	strings.Repeat("(", 3000), "vk_at_" + strings.Repeat("0", 58), "vk_pat_" + strings.Repeat("z", 58), "vk_ac_" + strings.Repeat("%00", 58),
}

// forgeries are headers that lie. Transfer-Encoding is not among them: net/http
// answers it itself, with 501.
var forgeries = []field{
	{"Authorization", "Bearer "}, {"Authorization", "Bearer"}, {"Authorization", "Bearer <vkmark>"}, {"Authorization", "Bearer vk_at_0 vk_at_1"},
	{"Authorization", "Basic"}, {"Authorization", "Basic !!!"}, {"Authorization", "Basic Og=="}, {"Authorization", "Basic Ojo6Og=="},
	{"Authorization", "Basic JTAwOiUwMA=="}, {"Authorization", "Basic PHZrbWFyaz46eA=="}, {"Authorization", "Digest username=\"<vkmark>\""},
	{"Authorization", "DPoP x"}, {"Authorization", "Bearer eyJhbGciOiJub25lIn0.e30."}, {"Authorization", "Bearer " + strings.Repeat("A", 8000)},
	{"Cookie", "valetkey_sid=<vkmark>"}, {"Cookie", strings.Repeat("a=b; ", 300)}, {"Cookie", "=; ;;=\x7f"}, {"Cookie", "__Host-vk_sid=" + strings.Repeat("x", 4000)},
	{"Origin", "null"}, {"Origin", "https://evil.example"}, {"Origin", "<vkmark>"}, {"Origin", "http://[::1"},
	{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", "<vkmark>"}, {"Sec-Fetch-Site", ""},
	{"Referer", "https://evil.example/<vkmark>"}, {"X-Forwarded-For", "<vkmark>"}, {"X-Forwarded-For", "1.2.3.4, ::1, %"}, {"X-Forwarded-Host", evil},
	{"X-Forwarded-Proto", "https"}, {"Forwarded", "for=evil.example;host=evil.example"}, {"X-Original-Url", "/admin/"}, {"X-Http-Method-Override", "DELETE"},
	{"Accept", "<vkmark>"}, {"Accept", strings.Repeat("text/html;q=0.1,", 500)}, {"Accept-Language", "<vkmark>"}, {"Accept-Encoding", "gzip;q=<vkmark>"},
	{"User-Agent", "<vkmark>" + strings.Repeat("u", 5000)}, {"User-Agent", "\xff\xfe"}, {"X-Request-Id", "<vkmark>"}, {"X-CSRF-Token", "<vkmark>"},
	{"X-CSRF-Token", "eyJhbGciOiJub25lIn0.e30."}, {"If-None-Match", "W/\"<vkmark>\""}, {"If-Match", "*"}, {"Range", "bytes=0-,0-,0-,0-"},
	{"Expect", "<vkmark>"}, {"Upgrade", "websocket"}, {"Access-Control-Request-Method", "<vkmark>"},
}

// bodies are sent instead of a form, whatever the content type says.
var bodies = []string{
	"{", "[]", "null", `"text"`, `{"name":"a","name":"b"}`, `{"NAME":"<vkmark>"}`, `{"name":{"a":[1]}}`, `{"scopes":"x"}`, `{"scopes":[null]}`,
	`{"name":"` + strings.Repeat("<vkmark>", 5000) + `"}`, strings.Repeat("[", 20000), strings.Repeat(`{"a":`, 20000), `{"expires_at":"<vkmark>"}`, `{"name":"\ud800"}`,
	"\x00\x01\x02", "a=b;c=d", "&&&&", "=", "%", "%zz=%zz", strings.Repeat("a=b&", 30000), strings.Repeat("x", 200<<10), "grant_type=client_credentials&grant_type=password",
	"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n<vkmark>\r\n--x--\r\n", "<?xml version=\"1.0\"?><vkmark/>",
}
