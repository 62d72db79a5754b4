package accounts

// Evaluated is how many passwords were verified, against a stored hash or
// against nobody's.
func (a *Accounts) Evaluated() int64 { return a.hasher.evaluated.Load() }

// SaturateHasher takes every slot for hashing until release is called.
func (a *Accounts) SaturateHasher() (release func()) {
	for range cap(a.hasher.slots) {
		a.hasher.slots <- struct{}{}
	}
	return func() {
		for range cap(a.hasher.slots) {
			a.hasher.release()
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
