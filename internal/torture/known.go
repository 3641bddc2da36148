//go:build linux

package torture

import (
	"fmt"
	"os"
	"path"
	"strings"
)

// knownFailure is a line of the file of known failures: a signature, in which * stands for anything but a slash, and why.
type knownFailure struct{ pattern, reason string }

// readKnown reads lines "SIGNATURE  # reason"; those that begin with # and empty ones are for people.
func readKnown(file string) (out []knownFailure, err error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for i, line := range strings.Split(string(b), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		pattern, reason, _ := strings.Cut(line, "#")
		k := knownFailure{strings.TrimSpace(pattern), strings.TrimSpace(reason)}
		if _, err := path.Match(k.pattern, ""); err != nil || k.reason == "" || strings.ContainsAny(k.pattern, " \t") {
			return nil, fmt.Errorf("%s:%d: a line is SIGNATURE  # reason", file, i+1)
		}
		out = append(out, k)
	}
	return out, nil
}

// reason is why a failure is known, "" for one that is not.
func (c *campaign) reason(signature string) string {
	for _, k := range c.known {
		if ok, _ := path.Match(k.pattern, signature); ok {
			return k.reason
		}
	}
	return ""
}
