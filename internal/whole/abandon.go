package whole

import "os"

// Abandon takes the temporary files and folders of this process away, whoever is writing them, and its locks: the process is about to end.
// A lock with a Note stays, for the next that writes in that folder.
func Abandon() {
	mine.Range(func(name, _ any) bool {
		_ = os.RemoveAll(name.(string)) // what cannot be removed is swept by the next run
		return true
	})
}
