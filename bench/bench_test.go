package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	t.Parallel()
	var hundred []time.Duration
	for n := range 100 {
		hundred = append(hundred, time.Duration(n+1))
	}
	for _, tt := range []struct {
		values []time.Duration
		q      float64
		want   time.Duration
	}{{nil, 0.5, 0}, {hundred[:1], 0.99, 1}, {hundred, 0.5, 51}, {hundred, 0.99, 100}, {hundred, 1, 100}} {
		if got := quantile(tt.values, tt.q); got != tt.want {
			t.Errorf("quantile of %d values at %v = %d, want %d", len(tt.values), tt.q, got, tt.want)
		}
	}
}

func TestMember(t *testing.T) {
	t.Parallel()
	if got := member(`{"a":"x","refresh_token":"y"}`, "refresh_token"); got != "y" {
		t.Errorf("got %q, want y", got)
	}
	if got := member(`{"a":"x"}`, "refresh_token"); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
}

func TestUsageCountsThisProcess(t *testing.T) {
	t.Parallel()
	before, err := usage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(60 * time.Millisecond); time.Now().Before(end); {
	}
	after, err := usage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if after.cpu <= before.cpu || after.memory == 0 {
		t.Errorf("after 60 ms of work: %v CPU more, %d MiB", after.cpu-before.cpu, after.memory)
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{7}, 7}, {[]float64{9, 1}, 1}, {[]float64{3, 9, 1}, 3}} {
		if got := median(tt.values); got != tt.want {
			t.Errorf("median of %v = %v, want %v", tt.values, got, tt.want)
		}
	}
}

// What costs more than its budget, and what has lost or never had one, is said.
func TestBudgets(t *testing.T) {
	t.Parallel()
	want := budgets{"statements: token": 2, "allocations: token": 100, "CPU, in constant answers: token": 10, "commits: gone": 1}
	got := budgets{"statements: token": 3, "allocations: token": 110, "CPU, in constant answers: token": 19, "commits: new": 1}
	lines, over := got.against(want)
	text := strings.Join(lines, "\n")
	for _, sentence := range []string{
		"OVER statements: token: measured 3.00, the budget is 2.00",
		"ok   allocations: token: 110.00 of 100.00",
		"ok   CPU, in constant answers: token: 19.00 of 10.00",
		"NEW  commits: new",
		"GONE commits: gone",
	} {
		if !strings.Contains(text, sentence) {
			t.Errorf("%q is not among\n%s", sentence, text)
		}
	}
	if over != 3 {
		t.Errorf("%d over, want 3", over)
	}
}

// The recorded budgets can be read, and have a headroom each.
func TestBudgetFile(t *testing.T) {
	t.Parallel()
	b, err := readBudgets(budgetFile)
	if err != nil {
		t.Fatal(err)
	}
	for k := range b {
		if what, _, _ := strings.Cut(k, ": "); headroom[what] == 0 {
			t.Errorf("%s: there is no headroom for %q", k, what)
		}
	}
	if len(b) < 20 {
		t.Errorf("only %d budgets", len(b))
	}
}
