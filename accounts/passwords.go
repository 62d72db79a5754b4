package accounts

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/valetkey/valetkey/internal/overload"
	"github.com/valetkey/valetkey/oauth"
)

const (
	minPassword = 8    // bytes
	maxPassword = 1024 // bytes; longer ones are refused, never cut
)

// hasher hashes and verifies passwords, fewer at a time than there are cores
// ([overload.Hashing]): each hash takes its share of memory, and a storm of
// sign-ins must not take the whole machine.
type hasher struct {
	cost  Argon2
	salt  oauth.Secret // Flask-Security's; see Config.ImportedSalt
	dummy phc          // what passwords of unknown people are verified against
	room  *overload.Class
	left  atomic.Int64 // KiB that hashes have left behind
	// evaluated counts the passwords that were verified.
	evaluated atomic.Int64
}

func newHasher(cost Argon2, salt oauth.Secret) (*hasher, error) {
	cost = Argon2{cmp.Or(cost.Memory, owasp.Memory), cmp.Or(cost.Time, owasp.Time), cmp.Or(cost.Threads, owasp.Threads)}
	if !cost.valid() {
		return nil, fmt.Errorf("accounts: Hash %+v: want 8 KiB a thread to %d KiB, 1 to %d passes, 1 to %d threads", cost, maxMemory, maxTime, maxThreads)
	}
	return &hasher{cost: cost, salt: salt, dummy: nobodys(cost), room: overload.New("hashing", overload.Hashing())}, nil
}

// hash makes the PHC string of a password.
func (h *hasher) hash(ctx context.Context, password oauth.Secret) (string, error) {
	if err := h.room.Enter(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	return newPHC(h.cost, password).String(), nil
}

// verify reports whether the password belongs to the stored hash, and whether
// that hash should be made anew. An empty hash (nobody, or nobody's password)
// costs the same work and is never right.
func (h *hasher) verify(ctx context.Context, hash string, password oauth.Secret) (right, outdated bool, err error) {
	if err := h.room.Enter(ctx); err != nil {
		return false, false, err
	}
	defer h.leave()
	h.evaluated.Add(1)
	if hash == "" {
		h.dummy.verify(password)
		return false, false, nil
	}
	if p, err := parsePHC(hash); err == nil {
		return p.verify(password), p.cost.weakerThan(h.cost), nil
	}
	return verifyImported(hash, password, h.salt), true, nil
}

const (
	// smallHeap is what a server keeps that remembers little, and some hashes.
	smallHeap = 96 << 20 // bytes
	// litter is how much memory hashes may leave behind.
	litter = 16 << 10 // KiB
)

// leave ends the turn. The memory of the hash, which is more than all else that a
// small server keeps, goes before the next hash takes its own: left to itself the
// collector would wait until several had gathered. Beside a large heap it is
// nothing, and collecting that would cost more than the hash.
func (h *hasher) leave() {
	defer h.room.Leave()
	if h.left.Add(int64(h.cost.Memory)) < litter {
		return
	}
	h.left.Store(0)
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	if metrics.Read(live); live[0].Value.Kind() == metrics.KindUint64 && live[0].Value.Uint64() < smallHeap {
		runtime.GC()
	}
}

//go:embed common.txt
var commonText string

// common are passwords that attackers try first, of at least minPassword bytes,
// in lower case.
var common = sync.OnceValue(func() map[string]bool {
	m := map[string]bool{}
	for line := range strings.Lines(commonText) {
		m[strings.TrimSpace(line)] = true
	}
	return m
})

// checkPassword says what is wrong with a password that somebody chose. There
// are no rules about its composition (NIST SP 800-63B-4 §3.1.1.2).
func checkPassword(password oauth.Secret, email, product string) error {
	p := strings.ToLower(string(password))
	switch {
	case len(password) < minPassword:
		return &Invalid{"password", fmt.Sprintf("Choose a password of at least %d characters.", minPassword)}
	case len(password) > maxPassword:
		return &Invalid{"password", fmt.Sprintf("Choose a password of at most %d characters.", maxPassword)}
	case common()[p], strings.Count(p, p[:1]) == len(p):
		return &Invalid{"password", "Choose another password: this one is among the first that attackers try."}
	}
	local, _, _ := strings.Cut(email, "@")
	if p == email || p == local || p == strings.ToLower(product) {
		return &Invalid{"password", "Choose another password: this one can be guessed from your address or this site's name."}
	}
	return nil
}
