package units

import (
	"math"
	"testing"
)

func TestText(t *testing.T) {
	for _, x := range []struct{ got, want string }{
		{Count(999), "999"}, {Count(9999), "9999"}, {Count(61_100_840), "61.1 M"}, {Count(131072), "131 k"},
		{Size(12), "12 B"}, {Size(4_900_000), "4.67 MiB"}, {Percent(0.12345), "12.35 %"}, {Percent(math.NaN()), "-"},
		{Plural(1, "epoch"), "1 epoch"}, {Plural(0, "epoch"), "0 epochs"}, {Plural(2, "class"), "2 classes"},
		{Plural(3, "batch"), "3 batches"},
		{Plural(2, "entry"), "2 entries"}, {Plural(2, "array"), "2 arrays"}, {Of(1, "one is", "%d are"), "one is"},
		{Of(2, "one is", "%d are"), "2 are"},
		{Dims(nil), "?"}, {Dims([]any{}), "scalar"}, {Dims([]any{"N", 64, "?"}), "N×64×?"},
	} {
		if x.got != x.want {
			t.Errorf("%q, want %q", x.got, x.want)
		}
	}
}

func TestTime(t *testing.T) {
	for seconds, want := range map[float64]string{0: "0s", 0.04: "0s", 1.26: "1.3s", 59.9: "59.9s", 75.4: "1m15s", 3599: "59m59s",
		3600: "1h0m", 8536.3: "2h22m"} {
		if got := Time(seconds); got != want {
			t.Errorf("%g s is %q, want %q", seconds, got, want)
		}
	}
}
