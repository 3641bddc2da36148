package units

import (
	"math"
	"testing"
)

func TestText(t *testing.T) {
	for _, x := range []struct{ got, want string }{
		{Count(999), "999"}, {Count(9999), "9999"}, {Count(61_100_840), "61.1 M"}, {Count(131072), "131 k"},
		{Size(12), "12 B"}, {Size(4_900_000), "4.67 MiB"}, {Percent(0.12345), "12.35 %"}, {Percent(math.NaN()), "-"},
		{Dims(nil), "?"}, {Dims([]any{}), "scalar"}, {Dims([]any{"N", 64, "?"}), "N×64×?"},
	} {
		if x.got != x.want {
			t.Errorf("%q, want %q", x.got, x.want)
		}
	}
}
