package cli

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/internal/config"
)

// relay is an SMTP server that takes one mail and tells what it was sent.
func relay(t *testing.T, extensions ...string) (port int, said <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	out := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		out <- converse(conn, extensions)
	}()
	return l.Addr().(*net.TCPAddr).Port, out
}

func converse(conn net.Conn, extensions []string) string {
	var said strings.Builder
	fmt.Fprint(conn, "220 relay\r\n")
	data := false
	// A client that hangs up without a word is not waited for long.
	next := func(lines *bufio.Scanner) bool {
		conn.SetReadDeadline(time.Now().Add(2 * time.Second))
		return lines.Scan()
	}
	for lines := bufio.NewScanner(conn); next(lines); {
		line := lines.Text()
		said.WriteString(line + "\n")
		switch verb, _, _ := strings.Cut(line, " "); {
		case data && line == ".":
			data = false
			fmt.Fprint(conn, "250 taken\r\n")
		case data:
		case verb == "EHLO":
			for _, e := range extensions {
				fmt.Fprintf(conn, "250-%s\r\n", e)
			}
			fmt.Fprint(conn, "250 relay\r\n")
		case verb == "DATA":
			data = true
			fmt.Fprint(conn, "354 go on\r\n")
		case verb == "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return said.String()
		default:
			fmt.Fprint(conn, "250 fine\r\n")
		}
	}
	return said.String()
}

func TestMailIsDelivered(t *testing.T) {
	t.Parallel()
	port, said := relay(t)
	m := newMailer(config.Mail{Host: "127.0.0.1", Port: port, TLS: "none", From: "Example ID <id@example.org>"})
	err := m.Send(context.Background(), accounts.Mail{To: "maria@example.org", Subject: "Choose a new password", Text: "Open this link:\n\nhttps://id.example.org/x/\n"})
	if err != nil {
		t.Fatal(err)
	}
	got := <-said
	for _, want := range []string{"MAIL FROM:<id@example.org>", "RCPT TO:<maria@example.org>", "Subject: Choose a new password", "From: \"Example ID\" <id@example.org>", "https://id.example.org/x/"} {
		if !strings.Contains(got, want) {
			t.Errorf("the relay was not told %q:\n%s", want, got)
		}
	}
}

// A relay that cannot encrypt gets nothing unless the operator allows that.
func TestMailIsNotSentInTheOpen(t *testing.T) {
	t.Parallel()
	port, said := relay(t)
	m := newMailer(config.Mail{Host: "127.0.0.1", Port: port, TLS: "starttls", From: "id@example.org", Username: "id", Password: "swordfish"})
	err := m.Send(context.Background(), accounts.Mail{To: "maria@example.org", Subject: "x", Text: "secret link"})
	if err == nil {
		t.Fatal("the mail was sent without TLS")
	}
	if strings.Contains(err.Error(), "swordfish") {
		t.Errorf("the error holds the password: %v", err)
	}
	if got := <-said; strings.Contains(got, "secret link") || strings.Contains(got, "AUTH") {
		t.Errorf("the relay was told too much:\n%s", got)
	}
}

func TestNoRelayNoMailer(t *testing.T) {
	t.Parallel()
	if m := newMailer(config.Mail{}); m != nil {
		t.Errorf("got %v, want nil", m)
	}
}
