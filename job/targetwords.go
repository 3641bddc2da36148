package job

import "strings"

// targetWords puts the pieces of labels that hold commas, as those of ImageNet do, together again: the command line cuts a list at every
// comma and drops the blanks around. The longest label that begins at a piece wins.
func targetWords(pieces, labels []string) []string {
	whole := make(map[string]string, len(labels))
	for _, l := range labels {
		if strings.Contains(l, ",") {
			whole[joined(strings.Split(l, ","))] = l
		}
	}
	var out []string
	for i := 0; i < len(pieces); {
		word, n := pieces[i], 1
		for k := len(pieces) - i; k > 1; k-- {
			if l, ok := whole[joined(pieces[i:i+k])]; ok {
				word, n = l, k
				break
			}
		}
		out, i = append(out, word), i+n
	}
	return out
}

// joined is pieces in lower case with single commas between.
func joined(pieces []string) string {
	trimmed := make([]string, len(pieces))
	for i, p := range pieces {
		trimmed[i] = strings.ToLower(strings.TrimSpace(p))
	}
	return strings.Join(trimmed, ",")
}
