package desktop

import (
	"context"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/visit"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
)

// A whole visit by typing and tapping: 入户核查, all its questions, photos, two
// investigators, and what the next morning shows.
func TestAWorkersDay(t *testing.T) {
	dir := county(t, "township", "tablet-a")
	h := open(t, folder(dir, "tablet-a"), fyne.NewSize(1280, 800))
	h.sees("谁在用这台设备？", "走访员甲（虚构）", "走访员乙（虚构）")
	h.tap("走访员甲（虚构）")
	for _, d := range "111111" {
		h.tap(string(d))
	}
	h.tap("✓")
	h.sees("密码")
	require.Nil(t, h.app.session, "a wrong PIN opens nothing")
	for _, d := range practice.PIN {
		h.tap(string(d))
	}
	h.tap("✓")
	h.sees("今天的任务", "上岭村", "县里都已收到")

	task := h.firstTask()
	h.tap(task.Name)
	h.sees("为什么走访", "家庭成员", "459921********")
	h.seesNo(sample(t, task).Members[0].Fields["id_no"])
	h.tap("开始入户")
	h.sees("入户结果", "走访类型")

	script := sample(t, task).Visit(h.app.options.World.Now(), false)
	h.walk(script)
	require.Empty(t, h.app.visiting.fill.Problems(), "%v", h.app.visiting.fill.Problems())

	h.tap("汇总")
	h.sees("读给家里人听")
	h.seesNo("说的和家里讲的差不多", "邻居甲")                                             // what a neighbour said is not read to the family
	h.seesNo(sample(t, task).Members[0].Fields["id_no"], "19922200001", "还缺") // numbers are masked, nothing is missing
	h.tap("读完了，去签字")
	h.sees("户主或在场家人签字", "还没有户主（或在场家庭成员）签名")
	h.sign("用这个签名")
	h.sees("手写签名", "重新签字")
	v := h.investigators()
	h.tap("签完，锁定记录")
	h.sees("签好了", "2 名调查人员", "下一户")
	signed, err := visit.Read(context.Background(), h.app.session.Office.Replica, v)
	require.NoError(t, err)
	require.Len(t, signed.Content.Signature.Strokes, 3, "the strokes themselves are evidence")
	require.Len(t, signed.Investigator, 2)
	h.tap("回到今天的任务")
	h.sees("还没有收到县里的回执")
}

// walk gives every answer of a script on the screen, page by page, as far as it is
// asked, and takes the photos.
func (h *hand) walk(script yunqi.Script) {
	h.t.Helper()
	x := h.app.visiting
	for _, a := range script.Answers {
		path := "/data" + a.Path
		n, ok := x.fill.Visit.Entry.Node(path)
		if !ok && strings.Contains(path, "[") { // a further instance: its button first
			repeat := path[:strings.LastIndexByte(path, '[')]
			x.goTo(repeat)
			h.tap("添加一个")
			n, ok = x.fill.Visit.Entry.Node(path)
		}
		if !ok || !n.Relevant || n.Value == a.Value {
			continue
		}
		if x.asked[path] == nil {
			x.goTo(path)
		}
		if x.fill.Covered() {
			h.sees("敏感信息")
			h.tap("需要，打开")
		}
		h.answer(path, a.Value)
	}
	for i, path := range script.Photos {
		path = "/data" + path
		if n, ok := x.fill.Visit.Entry.Node(path); !ok || !n.Relevant {
			continue
		}
		x.goTo(path)
		x.shots.add(memory(path, yunqi.Photo(uint64(i), 640, 480)))
		h.settle()
	}
}

// investigators confirms the visit that is on the screen by everybody's own PIN.
func (h *hand) investigators() (v [16]byte) {
	h.t.Helper()
	drafts, err := h.app.session.Office.Replica.Drafts(context.Background())
	require.NoError(h.t, err)
	require.Len(h.t, drafts, 1)
	for range h.app.session.Colleagues() {
		h.tap("确认")
		h.sees("我参加了这次入户")
		for _, d := range practice.PIN {
			h.tap(string(d))
		}
		h.tap("确认")
	}
	return drafts[0].ID
}
