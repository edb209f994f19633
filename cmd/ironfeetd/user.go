package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"ironfeet/app/casework/office"
	"ironfeet/app/console/accounts"
	"ironfeet/store/audit"
	"ironfeet/sync/trust"
)

// UserCmd is about who signs in at the web console.
type UserCmd struct {
	Add     UserAddCmd     `cmd:"" help:"Make an account for the web console."`
	List    UserListCmd    `cmd:"" help:"List the accounts."`
	Disable UserDisableCmd `cmd:"" help:"Disable an account; its sessions end at once."`
	Enable  UserEnableCmd  `cmd:"" help:"Let a disabled account in again."`
	Reset   UserResetCmd   `cmd:"" name:"password" help:"Give an account a new password, as after a restore."`
}

// UserAddCmd makes an account. The password is read from standard input, never
// from the command line, which other people can read.
type UserAddCmd struct {
	DataFlag
	Login string     `required:"" help:"What is typed at the door, such as wei.jianguo."`
	Name  string     `required:"" help:"The person's name."`
	Role  trust.Role `required:"" help:"county, approver, child_approver, auditor, administrator or township."`
	Scope []string   `help:"Division codes, for a township." placeholder:"CODE"`

	password io.Reader // nil: standard input
}

func (c *UserAddCmd) Run(o *Output) error {
	return c.act(o, func(ctx context.Context, of *office.Office) (*audit.Act, error) {
		in := c.password
		if in == nil {
			in = os.Stdin
		}
		fmt.Fprintf(o.Err, "Password of %s (at least %d characters): ", c.Login, accounts.LeastPassword)
		line, err := bufio.NewReader(io.LimitReader(in, 1024)).ReadString('\n')
		if err != nil && line == "" {
			return nil, &FileError{File: "standard input", Why: "unreadable", Err: err}
		}
		a, err := accounts.Of(of).Add(ctx, accounts.Account{Login: c.Login, Name: c.Name, Role: c.Role, Scope: c.Scope}, strings.TrimRight(line, "\r\n"))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(o.Out, "%s  %-14s %s  %s\n", a.Login, a.Role, strings.Join(a.Scope, ","), a.Name)
		return accountAct(a.Login, map[string]string{"do": "add", "role": string(a.Role), "name": a.Name}), nil
	})
}

// UserListCmd lists accounts.
type UserListCmd struct{ DataFlag }

func (c *UserListCmd) Run(o *Output) error {
	return c.look(func(ctx context.Context, of *office.Office) error {
		list, err := accounts.Of(of).List(ctx)
		if err != nil {
			return err
		}
		for _, a := range list {
			state := "never signed in"
			if !a.Seen.IsZero() {
				state = "last signed in " + a.Seen.Format("2006-01-02 15:04")
			}
			if a.Disabled {
				state = "disabled: " + a.Why
			}
			second := ""
			if a.TOTP != "" {
				second = ", second factor"
			}
			fmt.Fprintf(o.Out, "%-16s %-14s %s  %s  %s%s\n", a.Login, a.Role, strings.Join(a.Scope, ","), a.Name, state, second)
		}
		return nil
	})
}

// UserDisableCmd disables an account.
type UserDisableCmd struct {
	DataFlag
	Login  string `arg:"" help:"The account's login."`
	Reason string `required:"" help:"Why; kept with the account."`
}

func (c *UserDisableCmd) Run(o *Output) error {
	return setAccount(o, c.DataFlag, c.Login, "disable", c.Reason)
}

// UserEnableCmd lets an account in again.
type UserEnableCmd struct {
	DataFlag
	Login string `arg:"" help:"The account's login."`
}

func (c *UserEnableCmd) Run(o *Output) error {
	return setAccount(o, c.DataFlag, c.Login, "enable", "")
}

// UserResetCmd gives an account a new password.
type UserResetCmd struct {
	DataFlag
	Login string `arg:"" help:"The account's login."`
}

func (c *UserResetCmd) Run(o *Output) error {
	fmt.Fprintf(o.Err, "New password of %s (at least %d characters): ", c.Login, accounts.LeastPassword)
	line, err := bufio.NewReader(io.LimitReader(os.Stdin, 1024)).ReadString('\n')
	if err != nil && line == "" {
		return &FileError{File: "standard input", Why: "unreadable", Err: err}
	}
	return c.act(o, func(ctx context.Context, of *office.Office) (*audit.Act, error) {
		if err := accounts.Of(of).NewPassword(ctx, c.Login, strings.TrimRight(line, "\r\n")); err != nil {
			return nil, err
		}
		fmt.Fprintf(o.Out, "%s has a new password\n", c.Login)
		return accountAct(c.Login, map[string]string{"do": "password"}), nil
	})
}

func setAccount(o *Output, data DataFlag, login, do, reason string) error {
	return data.act(o, func(ctx context.Context, of *office.Office) (act *audit.Act, err error) {
		book := accounts.Of(of)
		if do == "disable" {
			err = book.Disable(ctx, login, reason)
		} else {
			err = book.Enable(ctx, login)
		}
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(o.Out, "%s is %sd\n", login, do)
		return accountAct(login, map[string]string{"do": do, "reason": reason}), nil
	})
}

func accountAct(login string, what map[string]string) *audit.Act {
	return &audit.Act{Action: audit.Account, Object: login, Count: 1, Detail: what}
}
