package units

import "testing"

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{"1": 1, "800M": 800 << 20, "2GiB": 2 << 30, "1.5g": 3 << 29, " 64 kb ": 64 << 10, "1Ti": 1 << 40,
		"1073741824": 1 << 30, "100B": 100} {
		if n, err := ParseSize(s); err != nil || n != want {
			t.Errorf("%q: %d %v, want %d", s, n, err, want)
		}
	}
	for _, s := range []string{"", "x", "-1", "0", "nan", "inf", "1e30", "9999999T", "G", "1GG", "0x", "1 M B"} {
		if n, err := ParseSize(s); err == nil {
			t.Errorf("%q: %d", s, n)
		}
	}
}
