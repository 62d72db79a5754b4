package arch_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const specsFile = root + "/docs/specs.md"

// documents are the specifications that the code may cite, in the spelling of a
// citation. One that is not here fails the test: it is misspelt, or new.
var documents = []struct{ name, title string }{
	{"RFC 6749", "The OAuth 2.0 Authorization Framework"},
	{"RFC 6750", "Bearer Token Usage"},
	{"OAuth 2.1", "The OAuth 2.1 Authorization Framework (draft)"},
	{"RFC 9700", "Best Current Practice for OAuth 2.0 Security"},
	{"RFC 7636", "Proof Key for Code Exchange"},
	{"RFC 7009", "Token Revocation"},
	{"RFC 7662", "Token Introspection"},
	{"RFC 9701", "JWT Response for Token Introspection"},
	{"RFC 8414", "Authorization Server Metadata"},
	{"RFC 9207", "Authorization Server Issuer Identification"},
	{"RFC 9728", "Protected Resource Metadata"},
	{"RFC 8707", "Resource Indicators"},
	{"RFC 9068", "JWT Profile for Access Tokens"},
	{"RFC 9126", "Pushed Authorization Requests"},
	{"RFC 9101", "JWT-Secured Authorization Request"},
	{"RFC 9396", "Rich Authorization Requests"},
	{"RFC 8628", "Device Authorization Grant"},
	{"RFC 7521", "Assertion Framework for Client Authentication"},
	{"RFC 7523", "JWT Profile for Client Authentication"},
	{"RFC 7591", "Dynamic Client Registration"},
	{"RFC 7592", "Dynamic Client Registration Management"},
	{"OAuth Client ID Metadata Document", "draft-ietf-oauth-client-id-metadata-document"},
	{"RFC 8252", "OAuth 2.0 for Native Apps"},
	{"RFC 8705", "Mutual-TLS Client Authentication"},
	{"RFC 9449", "Demonstrating Proof of Possession"},
	{"OAuth 2.0 Multiple Response Type Encoding Practices", "OAuth 2.0 Multiple Response Type Encoding Practices"},
	{"OAuth 2.0 Form Post Response Mode", "OAuth 2.0 Form Post Response Mode"},
	{"OpenID Connect Core", "OpenID Connect Core 1.0"},
	{"OpenID Connect Discovery", "OpenID Connect Discovery 1.0"},
	{"OpenID Connect Dynamic Client Registration", "OpenID Connect Dynamic Client Registration 1.0"},
	{"OpenID Connect RP-Initiated Logout", "OpenID Connect RP-Initiated Logout 1.0"},
	{"OpenID Connect Back-Channel Logout", "OpenID Connect Back-Channel Logout 1.0"},
	{"OpenID Connect Front-Channel Logout", "OpenID Connect Front-Channel Logout 1.0"},
	{"OpenID Connect Session Management", "OpenID Connect Session Management 1.0"},
	{"RFC 7515", "JSON Web Signature"},
	{"RFC 7517", "JSON Web Key"},
	{"RFC 7518", "JSON Web Algorithms"},
	{"RFC 7519", "JSON Web Token"},
	{"RFC 7638", "JSON Web Key Thumbprint"},
	{"RFC 8725", "JSON Web Token Best Current Practices"},
	{"RFC 8037", "CFRG Curves (Ed25519) in JOSE"},
	{"RFC 7493", "The I-JSON Message Format"},
	{"RFC 8259", "The JSON Data Interchange Format"},
	{"RFC 3986", "Uniform Resource Identifier"},
	{"RFC 6890", "Special-Purpose IP Address Registries"},
	{"RFC 4291", "IP Version 6 Addressing Architecture"},
	{"RFC 6052", "IPv6 Addressing of IPv4/IPv6 Translators"},
	{"RFC 9110", "HTTP Semantics"},
	{"RFC 9111", "HTTP Caching"},
	{"RFC 6585", "Additional HTTP Status Codes"},
	{"RFC 8288", "Web Linking"},
	{"RFC 9457", "Problem Details for HTTP APIs"},
	{"RFC 9325", "Recommendations for Secure Use of TLS"},
	{"RFC 9106", "Argon2"},
	{"RFC 8176", "Authentication Method Reference Values"},
	{"RFC 5321", "Simple Mail Transfer Protocol"},
	{"NIST SP 800-63B-4", "Digital Identity Guidelines: Authentication"},
}

var (
	wrapped   = regexp.MustCompile(`\n\s*//\s?`)
	citation  = regexp.MustCompile(`((?:RFC \d+|(?:OpenID Connect|OAuth|NIST SP)(?: [A-Z0-9][A-Za-z0-9.-]*)+))(?: 1\.0)? (§[0-9A-Z][0-9A-Za-z.]*(?:(?:,| and|, and)? §[0-9A-Z][0-9A-Za-z.]*)*)`)
	reqTest   = regexp.MustCompile(`(?m)^func (Test((?:(?:(?:[RBCDLATVPESM]|Bearer|Metadata)\d+|3P)_)+)[A-Z]\w*)\(`)
	numbering = regexp.MustCompile(`\d+|\D+`)
)

// TestSpecs compares docs/specs.md with the citations in the code.
func TestSpecs(t *testing.T) {
	t.Parallel()
	cited := map[string]map[string][]string{} // document, section, packages
	tests := map[string][]string{}            // requirement, "package: test"
	for _, dir := range goDirs(t) {
		files, _ := filepath.Glob(filepath.Join(root, dir, "*.go"))
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range reqTest.FindAllStringSubmatch(string(source), -1) {
				for _, id := range strings.Split(strings.TrimSuffix(m[2], "_"), "_") {
					tests[id] = append(tests[id], fmt.Sprintf("`%s` %s", dir, m[1]))
				}
			}
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, m := range citation.FindAllSubmatch(wrapped.ReplaceAll(source, []byte(" ")), -1) {
				note(t, cited, dir, string(m[1]), string(m[2]))
			}
		}
	}
	got := specs(cited, tests)
	if *update {
		if err := os.WriteFile(specsFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, _ := os.ReadFile(specsFile); !bytes.Equal(got, want) {
		t.Error("docs/specs.md is not what the code cites: go test ./internal/arch -update")
	}
}

// note files one citation, such as "§4.1.2, §5.2" of a document, under a package.
func note(t *testing.T, cited map[string]map[string][]string, dir, document, sections string) {
	t.Helper()
	known := slices.ContainsFunc(documents, func(d struct{ name, title string }) bool { return d.name == document })
	if !known {
		t.Errorf("%s cites %q, which is no document of the list in specs_test.go", dir, document)
		return
	}
	if cited[document] == nil {
		cited[document] = map[string][]string{}
	}
	for _, part := range strings.Split(sections, "§")[1:] {
		section := strings.Trim(strings.TrimSuffix(strings.TrimSpace(part), " and"), "., ")
		if !slices.Contains(cited[document][section], dir) {
			cited[document][section] = append(cited[document][section], dir)
		}
	}
}

// specs draws the page.
func specs(cited map[string]map[string][]string, tests map[string][]string) []byte {
	var b bytes.Buffer
	b.WriteString("# Specifications and where they are kept\n\nGenerated from the citations in the code and the names of the tests by `go test ./internal/arch -update`.\n")
	for _, d := range documents {
		sections := cited[d.name]
		if len(sections) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s: %s\n\n| section | packages |\n|---|---|\n", d.name, d.title)
		for _, section := range inOrder(sections) {
			dirs := sections[section]
			slices.Sort(dirs)
			for i, dir := range dirs {
				dirs[i] = "`" + named(dir) + "`"
			}
			fmt.Fprintf(&b, "| §%s | %s |\n", section, strings.Join(dirs, ", "))
		}
	}
	b.WriteString("\n## Requirements and their tests\n\nLetters and numbers are those of the project's requirement lists: R every OpenID plan, B Basic (and its deltas), C Config, D and 3P Dynamic and third-party login, L logout; A authorization endpoint, T token endpoint, Bearer bearer use, V revocation and introspection, Metadata discovery, P pushed and signed requests, E device, assertions and registration; M holes of other servers.\n\n| requirement | tests |\n|---|---|\n")
	for _, id := range inOrder(tests) {
		list := tests[id]
		slices.Sort(list)
		fmt.Fprintf(&b, "| %s | %s |\n", id, strings.Join(list, "<br>"))
	}
	return b.Bytes()
}

// inOrder sorts keys so that 4.10 comes after 4.9.
func inOrder[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		as, bs := numbering.FindAllString(a, -1), numbering.FindAllString(b, -1)
		return slices.CompareFunc(as, bs, func(x, y string) int {
			if len(x) != len(y) && x[0] <= '9' && y[0] <= '9' {
				return len(x) - len(y)
			}
			return strings.Compare(x, y)
		})
	})
	return keys
}

// named is what a reader calls the package in dir.
func named(dir string) string {
	if dir == "." || dir == "" {
		return "valetkey"
	}
	return filepath.ToSlash(dir)
}

// goDirs lists every directory of the module that holds Go files.
func goDirs(t *testing.T) []string {
	t.Helper()
	var dirs []string
	for _, s := range packages(t) {
		dirs = append(dirs, s.dir)
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}
