package interop

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/livetest"
)

// debian skips a test unless debian/run asked for it and the file, which one
// package installs, is there.
func debian(t *testing.T, file string) {
	t.Helper()
	if os.Getenv("VALETKEY_INTEROP_DEBIAN") == "" {
		t.Skip("debian/run runs the clients of Debian")
	}
	if _, err := os.Stat(file); err != nil {
		t.Skipf("%s is not there: the package is not installed", file)
	}
}

// TestDebian_RequestsOAuthlib and Authlib are clients in Python, which say where
// to send the person and want to know where they came back to.
func TestDebian_RequestsOAuthlib(t *testing.T) {
	debian(t, "/usr/lib/python3/dist-packages/requests_oauthlib")
	t.Parallel()
	got := python(t, "requests_oauthlib_client.py")
	if got.Info["email"] != maria.Email {
		t.Errorf("UserInfo %v", got.Info)
	}
}

func TestDebian_Authlib(t *testing.T) {
	debian(t, "/usr/lib/python3/dist-packages/authlib")
	t.Parallel()
	got := python(t, "authlib_client.py")
	if got.Info["name"] != "Maria Stone" || got.Info["sub"] != got.Claims["sub"] || got.Claims["acr"] != "1" {
		t.Errorf("UserInfo %v, ID token %v", got.Info, got.Claims)
	}
	if !slices.Equal(got.Active, []bool{true, false}) {
		t.Errorf("before and after revocation the token is active: %v", got.Active)
	}
}

// report is what a client in Python prints.
type report struct {
	Token, Fresh string
	Info, Claims map[string]any
	Active       []bool
}

func python(t *testing.T, script string) (r report) {
	t.Helper()
	h := start(t)
	c := h.register(t, confidential())
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "-W", "error::UserWarning", filepath.Join("debian", script), h.Issuer, c.ID, c.Secret, livetest.RedirectURI)
	cmd.Env = append(os.Environ(), "OAUTHLIB_INSECURE_TRANSPORT=1", "AUTHLIB_INSECURE_TRANSPORT=1") // of loopback
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if lines.Scan() {
		page := h.visitor(t).walk(lines.Text())
		fmt.Fprintln(in, page.Location)
	}
	if lines.Scan() {
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Errorf("%s printed %s", script, lines.Text())
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if r.Fresh == r.Token {
		t.Errorf("refreshing brought nothing: %+v", r)
	}
	return r
}

// mod_auth_openidc protects a page of Apache. %[1]s is the directory, %[2]s the
// site's origin, %[3]s its address.
const apacheConfiguration = `
ServerRoot %[1]s
PidFile apache.pid
Listen %[3]s
ServerName %[3]s
ErrorLog %[1]s/error.log
User www-data
Group www-data
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule authz_user_module /usr/lib/apache2/modules/mod_authz_user.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so
LoadModule auth_openidc_module /usr/lib/apache2/modules/mod_auth_openidc.so
DocumentRoot %[1]s/www
<Directory %[1]s/www>
  Require all granted
</Directory>
OIDCProviderMetadataURL %[4]s/.well-known/openid-configuration
OIDCClientID %[5]s
OIDCClientSecret %[6]s
OIDCRedirectURI %[2]s/private/callback
OIDCCryptoPassphrase 0123456789abcdef0123456789abcdef
OIDCScope "openid profile email"
OIDCPKCEMethod S256
OIDCRemoteUserClaim sub
<Location /private>
  AuthType openid-connect
  Require claim email:%[7]s
  Header set X-Subject "expr=%%{REMOTE_USER}"
  Header set X-Name "%%{OIDC_CLAIM_name}e"
</Location>
`

func TestDebian_ModAuthOpenIDC(t *testing.T) {
	debian(t, "/usr/lib/apache2/modules/mod_auth_openidc.so")
	t.Parallel()
	h := start(t)
	addr, err := livetest.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	origin := "http://" + addr
	c := h.register(t, metadata{"redirect_uris": []string{origin + "/private/callback"}, "token_endpoint_auth_method": "client_secret_basic",
		"post_logout_redirect_uris": []string{origin + "/bye.txt"}, "backchannel_logout_uri": origin + "/private/callback?logout=backchannel"})
	apache(t, addr, func(dir string) string {
		return fmt.Sprintf(apacheConfiguration, dir, origin, addr, h.Issuer, c.ID, c.Secret, maria.Email)
	})

	p := h.visitor(t)
	page := p.walk(origin + "/private/index.txt")
	if page.Status != http.StatusOK || string(page.Body) != "private" || page.Header.Get("X-Name") != "Maria Stone" || page.Header.Get("X-Subject") == "" {
		t.Fatalf("the private page: %v %v\n%s", page, page.Header, page.Body)
	}
	if page = p.walk(origin + "/private/callback?logout=" + url.QueryEscape(origin+"/bye.txt")); string(page.Body) != "bye" {
		t.Errorf("signed out to %v\n%s", page, page.Body)
	}
	if page, err = p.Open(origin + "/private/index.txt"); err != nil || page.Form() == nil || !page.Form().Values.Has("password") {
		t.Errorf("after signing out: %v, %v", page, err)
	}

	// Another browser signs in; the server ends its session and tells Apache.
	p = h.visitor(t)
	if page = p.walk(origin + "/private/index.txt"); string(page.Body) != "private" {
		t.Fatalf("the private page: %v", page)
	}
	if page, err = p.Open(h.Issuer + "/logout/"); err == nil {
		page, err = p.Send(page.Form())
	}
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if page, err = p.Open(origin + "/private/index.txt"); err == nil && string(page.Body) != "private" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("Apache was not told that the session is over")
		}
	}
}

// apache runs Apache with one private page, index.txt, and one for everybody, bye.txt.
func apache(t *testing.T, addr string, configuration func(dir string) string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "valetkey-apache-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.MkdirAll(filepath.Join(dir, "www", "private"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"www/private/index.txt": "private", "www/bye.txt": "bye", "apache.conf": configuration(dir)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil { // it is not us who serves it
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/sbin/apache2", "-DFOREGROUND", "-f", filepath.Join(dir, "apache.conf"))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Logf("%s", log)
		}
	})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if resp, err := http.Get("http://" + addr + "/bye.txt"); err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("Apache does not answer")
		}
	}
}

var userCode = regexp.MustCompile(`[A-Z]{4}-[A-Z]{4}`)

// oidc-agent keeps the refresh token of a person on a command line and hands out
// access tokens.
func TestDebian_OIDCAgent(t *testing.T) {
	debian(t, "/usr/bin/oidc-agent")
	t.Parallel()
	h := start(t)
	c := h.register(t, metadata{"grant_types": []string{"urn:ietf:params:oauth:grant-type:device_code", "refresh_token"},
		"response_types": []string{}, "token_endpoint_auth_method": "client_secret_basic"})
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".oidc-agent"), 0o700); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "HOME="+home, "OIDC_CONFIG_DIR="+filepath.Join(home, ".oidc-agent"), "OIDC_ENCRYPTION_PASSWORD=of the tests")
	run := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Env = env
		return cmd
	}
	out, err := run("/usr/bin/oidc-agent", "--no-autoload").Output()
	if err != nil {
		t.Fatalf("oidc-agent: %v", err)
	}
	for _, v := range regexp.MustCompile(`(OIDC_SOCK|OIDCD_PID)=([^;]+);`).FindAllStringSubmatch(string(out), -1) {
		env = append(env, v[1]+"="+v[2])
	}
	t.Cleanup(func() {
		cmd := exec.Command("/usr/bin/oidc-agent", "--kill")
		cmd.Env = env
		cmd.Run()
	})

	gen := run("/usr/bin/oidc-gen", "valetkey", "--manual", "--flow=device", "--issuer="+h.Issuer, "--client-id="+c.ID, "--client-secret="+c.Secret,
		"--scope=openid offline_access test:scope", "--pw-env=OIDC_ENCRYPTION_PASSWORD", "--prompt=none", "--no-url-call", "--confirm-default")
	output, err := gen.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	gen.Stderr = gen.Stdout
	if err := gen.Start(); err != nil {
		t.Fatal(err)
	}
	said, asked := strings.Builder{}, false
	for lines := bufio.NewScanner(output); lines.Scan(); {
		fmt.Fprintln(&said, lines.Text())
		if code := userCode.FindString(lines.Text()); code != "" && !asked {
			asked = true
			h.visitor(t).approve(h.Issuer + "/device?user_code=" + code)
		}
	}
	io.Copy(io.Discard, output)
	if err := gen.Wait(); err != nil {
		t.Fatalf("oidc-gen: %v\n%s", err, said.String())
	}
	var tokens []string
	for range 2 {
		out, err := run("/usr/bin/oidc-token", "--force-new", "valetkey").Output()
		if err != nil {
			t.Fatalf("oidc-token: %v", err)
		}
		tokens = append(tokens, strings.TrimSpace(string(out)))
	}
	if tokens[0] == tokens[1] || !h.allows(t, http.DefaultClient, tokens[1]) {
		t.Error("the tokens open nothing")
	}
}
