package peer

import (
	"crypto/rand"
	"sync"
)

const (
	idLen = 26 // characters of five bits
	batch = 64
)

// ids are drawn many at a time: each request needs one, and each would cost a
// call to the system and a string.
type ids struct {
	text string
	used int
}

var drawn = sync.Pool{New: func() any { return &ids{used: batch} }}

func newID() string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" // base32
	d := drawn.Get().(*ids)
	defer drawn.Put(d)
	if d.used == batch {
		var b [batch * idLen]byte
		rand.Read(b[:])
		for i := range b {
			b[i] = alphabet[b[i]%32]
		}
		d.text, d.used = string(b[:]), 0
	}
	id := d.text[d.used*idLen : (d.used+1)*idLen]
	d.used++
	return id
}
