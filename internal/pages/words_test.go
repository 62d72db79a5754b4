package pages_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/oauth"
)

// Every type of event has a name, or administrators could not look for it.
func TestEveryEventHasAName(t *testing.T) {
	t.Parallel()
	named := map[oauth.EventType]bool{}
	for _, o := range (pages.AdminActivity{}).EventTypes() {
		named[o.Type] = true
	}
	source, err := os.ReadFile("../../oauth/event.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)^\tEvent\w+ +EventType = "([a-z_.]+)"`).FindAllSubmatch(source, -1)
	if len(declared) < 20 {
		t.Fatalf("only %d types of event are found", len(declared))
	}
	for _, d := range declared {
		if !named[oauth.EventType(d[1])] {
			t.Errorf("%s has no name", d[1])
		}
	}
}
