package doctor

import (
	"slices"

	"github.com/valetkey/valetkey/internal/keys"
	"github.com/valetkey/valetkey/store"
)

// checkKeys: are there keys to sign with, can they be opened, and do they move?
func checkKeys(v *visit) {
	if v.Keys == nil {
		return
	}
	all, err := v.Keys(v.ctx)
	if err != nil {
		return // without their table; the migrations said so
	}
	if len(all) == 0 {
		v.note("There are no signing keys yet: the server makes them when it starts.")
		return
	}
	for _, alg := range keys.Offered() {
		i := slices.IndexFunc(all, func(k keys.Key) bool { return k.Algorithm == alg && k.State == store.KeyActive })
		if i < 0 {
			v.problem("No key signs %s: start the server, which makes one.", alg)
			continue
		}
		k := all[i]
		began := k.ActiveAt
		if began.IsZero() {
			began = k.CreatedAt
		}
		switch age := v.Now().Sub(began); {
		case k.Fault != nil:
			v.problem("The signing key %s (%s) was encrypted by the secret key %q and cannot be opened by those in keyring_file: nothing can be signed. Put that line back as it was.", k.ID, alg, k.SealedBy)
		case age < -clocksWrong:
			v.problem("The signing key %s (%s) begins in the future: the clock of this machine is behind, or was ahead.", k.ID, alg)
		case age > v.Config.Lifetimes.SigningKey.Std()+2*day:
			v.warn("The signing key %s (%s) signs since %s; lifetimes.signing_key says %v. The server replaces it while it runs; if it does run, look at its log.", k.ID, alg, days(age), v.Config.Lifetimes.SigningKey)
		default:
			v.ok("The key %s signs %s since %s.", k.ID, alg, days(age))
		}
	}
}
