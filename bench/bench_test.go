package main

import (
	"os"
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
