package desktop

import (
	"context"
	"os/signal"
	"syscall"
	"testing"

	"fyne.io/fyne/v2"
	"github.com/stretchr/testify/require"
)

// The disk takes nothing more in the middle of a visit, SQLite's own files included:
// what was not written is not called saved, stays on the screen, and is written with
// the next answer that can be.
func TestAFullDiskOnTheScreen(t *testing.T) { // invariant 1
	h := open(t, folder(county(t, "township", "tablet-a"), "tablet-a"), fyne.NewSize(1280, 800))
	h.unlock("走访员甲（虚构）")
	v, err := h.app.session.Desk().Start(context.Background(), h.firstTask())
	require.NoError(t, err)
	h.app.visitScreen(v)
	h.answer("/data/visit/outcome", "completed")
	h.app.visiting.goTo("/data/home")
	h.answer("/data/home/respondent", "存下了")
	h.sees("全部已保存")

	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var was syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was))
	none := was
	none.Cur = 1 // no file may grow
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &none))
	free := func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was)) }
	defer free()
	e := h.entries(h.question("/data/home/phone"))[0]
	e.SetText("")
	h.app.win.Canvas().Focus(e)
	for _, r := range "1" {
		e.TypedRune(r)
	}
	shown := h.texts()
	free()
	require.Contains(t, shown, h.app.t("sorry"), "it is said")
	require.True(t, v.Behind())
	h.close()
	h.seesNo("全部已保存")
	h.sees(h.app.t("unsaved"))
	require.Equal(t, "1", h.entries(h.question("/data/home/phone"))[0].Text, "what was typed stays on the screen")

	h.answer("/data/home/phone", "13800000002")
	h.sees("全部已保存")
	require.False(t, v.Behind())
	again := h.draft(v.ID)
	for path, want := range map[string]string{"/home/respondent": "存下了", "/home/phone": "13800000002"} {
		n, _ := again.Entry.Node(path)
		require.Equal(t, want, n.Value, path)
	}
}
