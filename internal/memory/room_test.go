//go:build linux

package memory

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestRoom has processes allocate, under a limit of their address space, all that the account gives them.
func TestRoom(t *testing.T) {
	if os.Getenv("GTK_TEST_ROOM") != "" {
		Settle()
		before := Left()
		var keep [][]byte
		n := int64(0)
		for range 1000 {
			g, err := Take(8<<20, "a piece")
			if err != nil {
				break
			}
			b := make([]byte, 8<<20)
			b[0] = 1
			keep = append(keep, b)
			n += 8 << 20
			_ = g
		}
		os.Stdout.WriteString(Size(before) + " were left, " + Size(n) + " were had\n")
		if n < before/2-16<<20 {
			os.Exit(1)
		}
		for i := range keep {
			keep[i][0]++
		}
		os.Exit(0)
	}
	for _, limit := range []string{"-v 900000", "-v 1000000", "-v 1500000", "-v 1500000", "-v 1500000", "-v 2500000", "-d 200000",
		"-d 600000"} {
		c := exec.Command("sh", "-c", "ulimit "+limit+"; exec "+os.Args[0]+" -test.run=TestRoom")
		c.Env = append(os.Environ(), "GTK_TEST_ROOM=1")
		out, err := c.CombinedOutput()
		t.Logf("ulimit %s: %s", limit, strings.TrimSpace(string(out)))
		if err != nil {
			t.Errorf("ulimit %s: %v", limit, err)
		}
	}
}
