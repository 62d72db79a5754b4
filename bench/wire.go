package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// wire is one keep-alive connection. It sends ready bytes and reads the answer,
// so that the load costs the machine as little as possible.
type wire struct {
	addr string
	conn net.Conn
	in   *bufio.Reader
	body bytes.Buffer // of the last answer
}

const answerWithin = 20 * time.Second

// do sends one request and returns the status; the body is in w.body.
func (w *wire) do(request []byte) (int, error) {
	if w.conn == nil {
		conn, err := net.Dial("tcp", w.addr)
		if err != nil {
			return 0, err
		}
		w.conn, w.in = conn, bufio.NewReader(conn)
	}
	status, err := w.exchange(request)
	if err != nil {
		w.conn.Close()
		w.conn = nil
	}
	return status, err
}

func (w *wire) exchange(request []byte) (int, error) {
	if err := w.conn.SetDeadline(time.Now().Add(answerWithin)); err != nil {
		return 0, err
	}
	if _, err := w.conn.Write(request); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(w.in, nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	w.body.Reset()
	_, err = w.body.ReadFrom(resp.Body)
	return resp.StatusCode, err
}

// expect sends one request and wants 200 and a body that holds the text.
func (w *wire) expect(request []byte, text string) error {
	status, err := w.do(request)
	if err != nil {
		return err
	}
	if status != http.StatusOK || !bytes.Contains(w.body.Bytes(), []byte(text)) {
		return fmt.Errorf("status %d: %.300s", status, w.body.Bytes())
	}
	return nil
}

// inTurns sends one request after the other and begins again.
func (w *wire) inTurns(pool [][]byte, expect string) step {
	next := 0
	return func() error {
		next++
		return w.expect(pool[next%len(pool)], expect)
	}
}

// get is the bytes of a GET request; headers are whole lines without the end.
func get(host, path string, headers ...string) []byte {
	return request("GET", host, path, headers, "")
}

// post is the bytes of a form sent by POST.
func post(host, path string, form url.Values, headers ...string) []byte {
	headers = append(headers, "Content-Type: application/x-www-form-urlencoded")
	return request("POST", host, path, headers, form.Encode())
}

func request(method, host, path string, headers []string, body string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, host)
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	if method == "POST" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n" + body)
	return b.Bytes()
}

// basic is the header of RFC 6749 §2.3.1 with which a client authenticates.
func basic(id, secret string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}
