package crashtest

import "sync"

// ledger is what the server has acknowledged, kept outside of it.
type ledger struct {
	mu      sync.Mutex
	alive   map[string]string // token to what it is
	dead    map[string]string
	unknown map[string]bool // a request about it was cut off
}

func newLedger() *ledger {
	return &ledger{alive: map[string]string{}, dead: map[string]string{}, unknown: map[string]bool{}}
}

// issued: the server has handed out the token.
func (l *ledger) issued(token, what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alive[token] = what
}

// take hands out one living token of a kind to be revoked, and stops vouching
// for it until the outcome is known.
func (l *ledger) take(what string) (token string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for token, kind := range l.alive {
		if kind == what {
			delete(l.alive, token)
			l.unknown[token] = true
			return token, true
		}
	}
	return "", false
}

// revoked: the server has said that the token is dead.
func (l *ledger) revoked(token, what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.unknown, token)
	l.dead[token] = what
}

// counts returns how many tokens are vouched for as alive, dead and neither.
func (l *ledger) counts() (alive, dead, unknown int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.alive), len(l.dead), len(l.unknown)
}
