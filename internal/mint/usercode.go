package mint

import (
	"crypto/rand"
	"math/big"
	"time"
)

// UserCodeAlphabet are the letters of a user code (RFC 8628 §6.1): no vowels, so
// that no words come out, and no two that look alike.
const UserCodeAlphabet = "BCDFGHJKLMNPQRSTVWXZ"

// UserCodeLen is how many letters a user code has.
const UserCodeLen = 8

// NewUserCode draws a user code: eight letters, 34 bits. It is short because a
// person types it, so whoever looks one up must bound the guesses.
func NewUserCode() string {
	letters := big.NewInt(int64(len(UserCodeAlphabet)))
	code := make([]byte, UserCodeLen)
	for i := range code {
		n, err := rand.Int(rand.Reader, letters)
		if err != nil {
			panic(err) // crypto/rand never fails
		}
		code[i] = UserCodeAlphabet[n.Int64()]
	}
	return string(code)
}

// DrawnAt tells when an id was drawn, to the millisecond.
func DrawnAt(id string) time.Time {
	x, digit, sixtyTwo := new(big.Int), new(big.Int), big.NewInt(62)
	for i := range len(id) {
		x.Mul(x, sixtyTwo).Add(x, digit.SetInt64(int64(digitOf(id[i]))))
	}
	return time.UnixMilli(x.Rsh(x, 80).Int64()).UTC()
}

func digitOf(c byte) int {
	switch {
	case c <= '9':
		return int(c - '0')
	case c <= 'Z':
		return int(c-'A') + 10
	}
	return int(c-'a') + 36
}
