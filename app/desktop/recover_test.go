package desktop

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/visit"
	"ironfeet/app/desktop/present"
	"ironfeet/app/words"
	"ironfeet/store"
	"ironfeet/store/vault"
	"ironfeet/store/world"
)

// entry is the entry that shows a hint.
func (h *hand) entry(hint string) *widget.Entry {
	h.t.Helper()
	for _, o := range h.objects() {
		if e, ok := o.(*widget.Entry); ok && e.PlaceHolder == hint {
			return e
		}
	}
	require.Fail(h.t, "no entry asks for it", hint)
	return nil
}

// A worker forgot the PIN. The county answers the request, a new PIN opens the folder
// with the visit that was begun, and what is signed with it counts at the county.
func TestAForgottenPIN(t *testing.T) {
	ctx := context.Background()
	dir, c := openCounty(t, "township", "tablet-a")
	free(t, c, "tablet-a")
	h := open(t, folder(dir, "tablet-a"), fyne.NewSize(1280, 800))
	h.unlock("走访员甲（虚构）")
	person := h.app.session.Person
	task := h.firstTask()
	v, err := h.app.session.Desk().Start(ctx, task)
	require.NoError(t, err)
	h.app.unlockScreen()

	h.tap("走访员甲（虚构）")
	h.tap("忘记密码")
	h.sees("找回密码", "核对号", "走访员甲（虚构）")
	h.tap("复制文字")
	h.sees("已复制")
	request := []byte(h.app.app.Clipboard().Content())
	who, err := vault.ReadRecovery(request)
	require.NoError(t, err)
	require.Equal(t, person, who.Person)
	h.sees(who.Check[:3] + " " + who.Check[3:])
	answered, err := c.Office.Recovering(ctx, request)
	require.NoError(t, err)
	again, err := c.Office.Recovering(ctx, request)
	require.NoError(t, err, "a clerk may answer twice")
	roll, err := c.Office.Roll(ctx)
	require.NoError(t, err)
	require.Len(t, roll.Person(person), 2, "and certifies once")

	// The worker comes back another day; what goes wrong leaves everything as it was.
	h.app.unlockScreen()
	h.tap("走访员甲（虚构）")
	h.tap("忘记密码")
	h.sees(who.Check[:3] + " " + who.Check[3:])
	try := func(answer, pin, pin2, says string) {
		t.Helper()
		h.entry("把答复的全部文字粘贴在这里").SetText(answer)
		h.entry("新密码（至少六位）").SetText(pin)
		h.entry("再输一遍新密码").SetText(pin2)
		h.tap("换成新密码并进入")
		h.sees(says)
		h.close()
	}
	try(string(answered), "246813", "246814", "两遍输入的密码不一样")
	try(string(answered), "123456", "123456", "太容易被猜到")
	try("什么都没有", "246813", "246813", "这不是恢复用的文本")
	try(string(request), "246813", "246813", "这不是恢复用的文本")
	require.Nil(t, h.app.session)
	try(string(again), "246813", "246813", "密码已换")
	h.sees("今天的任务", "继续："+task.Name)

	// It is the same folder, the old PIN opens nothing, and a signature by the new key
	// counts at the county.
	v = h.draft(v.ID)
	answer(t, h.app.session, v, task, false)
	require.NoError(t, v.Sign(ctx, visit.Signature{Mode: visit.Refused, Reason: "不愿签", Witness: "村干部"}, nil))
	for _, p := range h.app.session.Colleagues() {
		pin := "135790"
		if p.ID == person {
			_, err := h.app.session.Key(p.ID, pin)
			require.Error(t, err)
			pin = "246813"
		}
		key, err := h.app.session.Key(p.ID, pin)
		require.NoError(t, err)
		require.NoError(t, v.Attest(ctx, p.ID, key))
	}
	require.NoError(t, v.Finish(ctx))
	_, err = h.app.session.Sync(ctx, nil)
	require.NoError(t, err)
	list, err := c.Office.Replica.Entities(ctx, store.Query{Kind: store.Visit})
	require.NoError(t, err)
	require.Len(t, list, 1)
	signed, err := visit.FromEntity(list[0])
	require.NoError(t, err)
	roll, err = c.Office.Roll(ctx)
	require.NoError(t, err)
	by := map[uuid.UUID]bool{}
	for _, raw := range signed.Attestations {
		a, _, err := roll.VerifyAttestation(raw)
		require.NoError(t, err)
		by[a.Person] = true
	}
	require.True(t, by[person])
	require.Len(t, by, 2)
}

// The county answers nobody whom it does not know, or knows no more, and nothing that
// was altered on the way.
func TestTheCountyAnswersOnlyItsOwn(t *testing.T) {
	ctx := context.Background()
	dir, _ := openCounty(t, "township", "tablet-a")
	_, other := openCounty(t, "township")
	people, err := present.People(world.Real(), folder(dir, "tablet-a"))
	require.NoError(t, err)
	ask, err := present.AskRecovery(world.Real(), folder(dir, "tablet-a"), people[0])
	require.NoError(t, err)
	_, err = other.Office.Recovering(ctx, []byte(ask.Request))
	require.Error(t, err)
	said, _ := words.In("zh").Error(err)
	require.Contains(t, said, "县里没有登记")

	// The request as a file and as a picture reads back as it was made.
	name := filepath.Join(t.TempDir(), "code.png")
	require.NoError(t, os.WriteFile(name, ask.Picture, 0o600))
	text, err := present.AnswerFrom(name, func() (io.ReadCloser, error) { return os.Open(name) })
	require.NoError(t, err)
	require.Equal(t, ask.Request, text)
}
