package strictjson_test

import (
	"strings"
	"testing"

	"github.com/valetkey/valetkey/internal/strictjson"
)

func TestMembers(t *testing.T) {
	t.Parallel()
	got, err := strictjson.Members([]byte(` {"a":1,"A":[{"b":null}],"c":"x"} `))
	if err != nil || len(got) != 3 || string(got["a"]) != "1" || string(got["A"]) != `[{"b":null}]` {
		t.Errorf("got %s, %v", got, err)
	}
	for name, text := range map[string]string{
		"nothing": "", "array": "[]", "null": "null", "two": "{}{}", "text behind": "{} x", "cut": `{"a":`, "twice": `{"a":1,"a":2}`,
		"twice, once escaped": `{"a":1,"\u0061":2}`, "twice inside": `{"a":[{"b":1,"b":1}]}`, "not UTF-8": "{\"a\":\"\xff\"}",
		"deep": strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20),
	} {
		if got, err := strictjson.Members([]byte(text)); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}
