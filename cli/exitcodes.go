package cli

import (
	"context"

	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("help", func() *ucli.Command {
		return command(&ucli.Command{
			Name: "help", Usage: "show the help of gtk or of a command, or: gtk help exit-codes", ArgsUsage: "[COMMAND | exit-codes]",
		}, helpCommand)
	})
}

// exitCodes is what gtk help exit-codes says.
var exitCodes = []struct {
	code int
	what string
}{
	{ExitOK, "done"},
	{ExitNo, "a check said no: gtk verify found a difference"},
	{ExitUsage, "the command line is wrong"},
	{ExitInput, "the model or the data is malformed, not supported, or needs more memory than there is"},
	{ExitIO, "a file could not be read or written, or another gtk is writing it"},
	{ExitTimeout, "the time of --timeout is over; what could be saved is saved"},
	{ExitInternal, "a mistake in gtk itself; please report it"},
	{ExitInterrupted, "interrupted (Ctrl-C); what could be saved is saved"},
}

func helpCommand(_ context.Context, e *env, c *ucli.Context) error {
	if c.Args().Len() == 0 {
		return ucli.ShowAppHelp(c.Lineage()[1])
	}
	name, err := oneArg(c, "COMMAND")
	if err != nil {
		return err
	}
	if name == "exit-codes" {
		type row struct {
			Code int    `json:"code"`
			What string `json:"what"`
		}
		rows := []row{}
		t := e.newTable(0)
		for _, x := range exitCodes {
			t.row(x.code, x.what)
			rows = append(rows, row{x.code, x.what})
		}
		if err := t.flush(); err != nil {
			return err
		}
		return e.emit(map[string]any{"schema": "gtk.exit-codes/1", "codes": rows})
	}
	if makers[name] != nil {
		return ucli.ShowCommandHelp(c.Lineage()[1], name)
	}
	return noCommand(name, "exit-codes")
}
