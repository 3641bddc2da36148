package whole

import "os"

// Abandon takes the temporary files of this process away, whoever is writing them: the process is about to end.
func Abandon() {
	open.Range(func(name, _ any) bool {
		os.Remove(name.(string))
		return true
	})
}
