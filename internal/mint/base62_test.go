package mint

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// base62 does what arithmetic without limits does.
func TestBase62(t *testing.T) {
	t.Parallel()
	slow := func(b []byte, n int) string {
		x, digit := new(big.Int).SetBytes(b), new(big.Int)
		out := make([]byte, n)
		for i := n - 1; i >= 0; i-- {
			x.DivMod(x, big.NewInt(62), digit)
			out[i] = alphabet[digit.Int64()]
		}
		return string(out)
	}
	random := rand.NewChaCha8([32]byte{})
	for _, size := range []int{0, 1, 4, 8, 9, 16, 17, 24} {
		for try := range 200 {
			b := make([]byte, size)
			random.Read(b)
			switch try {
			case 0:
				clear(b)
			case 1:
				for i := range b {
					b[i] = 0xff
				}
			}
			for _, n := range []int{0, 1, checksumLen, 10, 11, idLen, randomLen, 33} {
				if got, want := base62(b, n), slow(b, n); got != want {
					t.Fatalf("%x in %d digits: got %q, want %q", b, n, got, want)
				}
			}
		}
	}
}
