package accounts

import "context"

// Evaluated is how many passwords were verified, against a stored hash or
// against nobody's.
func (a *Accounts) Evaluated() int64 { return a.hasher.evaluated.Load() }

// SaturateHasher takes every place for hashing until release is called.
func (a *Accounts) SaturateHasher() (release func()) {
	places := a.hasher.room.Load().Places
	for range places {
		a.hasher.room.Enter(context.Background())
	}
	return func() {
		for range places {
			a.hasher.room.Leave()
		}
	}
}

// SpeedyArgon2 keeps tests fast; the work is the same kind.
var SpeedyArgon2 = Argon2{Memory: 64, Time: 1, Threads: 1}

var (
	ParsePHC   = parsePHC
	LocalPath  = localPath
	ParseAgent = parseAgent
)
