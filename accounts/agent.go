package accounts

import "strings"

// family finds the first of the marks that the user agent holds.
func family(userAgent string, marks [][2]string) string {
	for _, m := range marks {
		if strings.Contains(userAgent, m[0]) {
			return m[1]
		}
	}
	return "Other"
}

// Browsers name those they descend from, so the youngest come first.
var agentMarks = [][2]string{
	{"SamsungBrowser/", "Samsung Internet"}, {"OPR/", "Opera"}, {"Vivaldi/", "Vivaldi"}, {"YaBrowser/", "Yandex Browser"},
	{"EdgA/", "Edge"}, {"EdgiOS/", "Edge"}, {"Edg/", "Edge"}, {"FxiOS/", "Firefox"}, {"Firefox/", "Firefox"},
	{"CriOS/", "Chrome"}, {"Chromium/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"},
	{"curl/", "curl"}, {"Wget/", "Wget"}, {"Go-http-client/", "Go"}, {"python-requests/", "Python"},
}

var systemMarks = [][2]string{
	{"iPhone", "iOS"}, {"iPad", "iPadOS"}, {"Android", "Android"}, {"CrOS", "ChromeOS"},
	{"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"Macintosh", "macOS"}, {"Linux", "Linux"}, {"FreeBSD", "FreeBSD"},
}

// parseAgent returns the families of the browser and of the operating system.
// Versions are left out on purpose: an update must not look like another browser.
func parseAgent(userAgent string) (agent, system string) {
	return family(userAgent, agentMarks), family(userAgent, systemMarks)
}
