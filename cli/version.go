package cli

import (
	"context"
	"runtime"
	"runtime/debug"

	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("version", func() *ucli.Command {
		return command(&ucli.Command{Name: "version", Usage: "print the version"}, printVersion)
	})
}

func printVersion(_ context.Context, e *env, c *ucli.Context) error {
	if _, err := nArgs(c); err != nil {
		return err
	}
	e.printf("gtk %s (%s, %s/%s)\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return e.emit(struct {
		Schema  string `json:"schema"`
		Version string `json:"version"`
		Go      string `json:"go"`
		OS      string `json:"os"`
		Arch    string `json:"arch"`
	}{"gtk.version/1", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH})
}

// version is that of the module, with the commit where the build knows it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	if v != "" && v != "(devel)" {
		return v
	}
	v = "devel"
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			v += " " + s.Value[:12]
		}
	}
	return v
}
