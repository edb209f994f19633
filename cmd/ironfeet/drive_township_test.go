//go:build drive

package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/office"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
	"ironfeet/store"
	"ironfeet/store/world"
)

// The township's main path in the real program: two tablets that never saw a network
// come on a stick, the clerk reads it, goes through the inbox by keyboard, accepts,
// returns one visit with a reason at its question, settles what two teams said
// differently, and sends it; all of it stands at the real server.
func TestDriveTheTownship(t *testing.T) {
	programs := built(t)
	ctx := context.Background()
	dir := t.TempDir()
	home := filepath.Join(dir, "home")
	stick := filepath.Join(home, "优盘")
	require.NoError(t, os.MkdirAll(stick, 0o755))
	c, err := practice.SetUp(ctx, world.Real(), dir, 24)
	require.NoError(t, err)
	address := strings.TrimPrefix(c.Address, "http://")

	// Each tablet visits two households, one of them both.
	shared := c.Sample.Villages[2].Code
	list, err := tasks.List(ctx, c.Nodes["tablet-a"].Office.Replica, shared, tasks.Open)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(list), 3)
	both := list[0]
	for i, plan := range []struct {
		folder string
		own    tasks.Task
	}{{"tablet-a", list[1]}, {"tablet-b", list[2]}} {
		n := c.Nodes[plan.folder]
		clock := practice.NewClock(time.Now().AddDate(0, 0, -3+i), 12*time.Second)
		restore := clock.By(n)
		for j, task := range []tasks.Task{both, plan.own} {
			h := c.Sample.Households[slices.IndexFunc(c.Sample.Households, func(h *yunqi.Household) bool { return h.ID == task.Household })]
			_, err := n.Walk(ctx, &publish.Shelf{}, task, h.Visit(clock.Now(), i == 1), uint64(i*100+j*10))
			require.NoError(t, err)
			clock.Pass(20 * time.Minute)
		}
		restore()
		_, err := n.Office.WriteCarrier(ctx, filepath.Join(stick, plan.folder+".ironfeet"))
		require.NoError(t, err)
	}
	require.NoError(t, os.WriteFile(filepath.Join(stick, "letter.ironfeet"), []byte("not one of ours"), 0o644))
	names := map[uuid.UUID]string{}
	for _, h := range c.Sample.Households {
		names[h.ID] = h.Fields["name"]
	}
	require.NoError(t, c.Close())
	county := filepath.Join(dir, "county")
	stop := serve(t, programs, county, address)
	d := &driver{t: t, program: filepath.Join(programs, "ironfeet"), data: filepath.Join(dir, "township"), display: display(t), file: filepath.Join(dir, "screen.json"), home: home}
	d.start()
	d.unlock("乡镇专干（虚构）")
	d.see("没有待审的走访")

	// The stick, in one go; what is no carrier is said, and stops nothing.
	d.tap("导入")
	d.tap("选文件夹或优盘")
	d.tap("选定") // the dialog stands in the person's folder, in which the stick lies
	d.until("the stick to be read", func() bool { return strings.Count(d.words(), "核对号") == 2 })
	d.see("新照片", "没有读入", "不是铁脚板的U盘文件")
	d.key("Escape")
	d.until("four visits to wait", func() bool { return len(d.rows()) == 4 })
	d.until("the checks to have looked", func() bool {
		return !strings.Contains(d.words(), "检查中") && !strings.Contains(d.words(), "正在比对照片")
	})
	d.see("走访 2 次")

	// By keyboard alone.
	d.stands(0)
	d.press("j", func() bool { return d.at(1) })
	d.press("Down", func() bool { return d.at(2) })
	d.press("k", func() bool { return d.at(1) })
	d.press("Home", func() bool { return d.at(0) })
	d.press("Return", func() bool { return strings.Contains(d.words(), "全部答案") })
	passed, returned := false, ""
	for range 8 {
		d.see("全部答案", "签名有效")
		here := d.title()
		next := func() bool {
			return d.title() != here && (d.title() != "" || strings.Contains(d.words(), "没有待审的走访"))
		}
		switch {
		case !passed: // n passes one over; it comes again at the end
			passed = true
			d.press("n", next)
		case returned == "" && strings.Contains(here, names[list[1].Household]):
			returned = list[1].Household.String()
			d.key("r")
			d.see("退回补正")
			d.choose(0, "照片看不清，请重拍")
			where := d.choose(1, "")
			require.NotEqual(t, "整份记录", where)
			d.typeInto("补充说明", "men pai kan bu qing")
			d.tap("退回")
			d.until("the next visit", next)
		default:
			d.press("a", next)
		}
		if strings.Contains(d.words(), "没有待审的走访") {
			break
		}
	}
	d.see("没有待审的走访")
	require.NotEmpty(t, returned)

	// What two teams said differently.
	d.tapA("button", "矛盾")
	d.see("联系电话", "来自")
	for range 20 {
		if strings.Contains(d.words(), "没有矛盾") {
			break
		}
		before := d.words()
		d.press("1", func() bool { return strings.Contains(d.words(), "依据") })
		d.keys("da guo dian hua")
		d.see("da guo dian hua")
		d.press("Return", func() bool { return !strings.Contains(d.words(), "da guo dian hua") && d.words() != before })
		d.until("the conflicts", func() bool {
			return strings.Contains(d.words(), "没有矛盾") || strings.Contains(d.words(), "来自")
		})
	}
	d.see("没有矛盾")
	d.key("Escape")
	d.see("待审走访")
	d.tap("同步")
	d.tap("用网络同步")
	d.see("同步完成")
	d.stop()

	// The county has all of it.
	stop()
	of, err := office.Open(ctx, world.Real(), county)
	require.NoError(t, err)
	defer of.Close()
	visits, err := of.Replica.Entities(ctx, store.Query{Kind: store.Visit})
	require.NoError(t, err)
	require.Len(t, visits, 4)
	accepted := 0
	for _, v := range visits {
		state, decision, err := review.StateOf(ctx, of.Replica, v.ID)
		require.NoError(t, err)
		if v.Text("parent") != returned {
			require.Equal(t, review.Accepted, state)
			accepted++
			continue
		}
		require.Equal(t, review.Returned, state)
		require.Contains(t, decision.Text("reason"), "men pai kan bu qing")
		task, err := tasks.Get(ctx, of.Replica, list[1].ID)
		require.NoError(t, err)
		require.Equal(t, tasks.Open, task.State)
		require.Contains(t, task.Returned, "照片看不清")
	}
	require.Equal(t, 3, accepted)
	torn, err := of.Replica.Conflicts(ctx, c.Sample.Code)
	require.NoError(t, err)
	require.Empty(t, torn)
	settled, err := (&review.Reviewer{Replica: of.Replica}).FieldHistory(ctx, both.Household, "phone")
	require.NoError(t, err)
	require.Equal(t, "da guo dian hua", settled[len(settled)-1].Reason)
	findings, err := of.Replica.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, findings)
}

// rows are the inbox's lines on the screen.
func (d *driver) rows() (rows []int) {
	for _, x := range d.screen().Things {
		if x.Kind == "row" {
			rows = append(rows, int(x.Y))
		}
	}
	return rows
}

// at says whether the keyboard stands on the i-th line.
func (d *driver) at(i int) bool {
	for _, x := range d.screen().Things {
		if x.Kind != "row" {
			continue
		}
		if i == 0 {
			return x.Chosen
		}
		i--
	}
	return false
}

func (d *driver) stands(i int) {
	d.t.Helper()
	d.until("to stand on a line", func() bool { return d.at(i) })
}

// press presses a key until what it does is done: on a busy machine keys get lost.
func (d *driver) press(key string, done func() bool) {
	d.t.Helper()
	for range 4 {
		d.key(key)
		for end := time.Now().Add(8 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			if done() {
				return
			}
		}
	}
	require.Fail(d.t, "nothing comes of the key", "%s; the screen (%s) says:\n%.3000s", key, d.picture(), d.words())
}

// title is whose visit lies open and when it was, "" if none does.
func (d *driver) title() (title string) {
	for _, x := range d.screen().Things {
		if x.Kind == "text" && x.Y < 70 {
			title += x.Text + "|"
		}
	}
	if !strings.Contains(d.words(), "全部答案") {
		return ""
	}
	return title
}

// choose goes through the n-th choice by keyboard until it shows what is wanted, or
// to its first where anything is.
func (d *driver) choose(n int, want string) (chosen string) {
	d.t.Helper()
	now := func() string {
		i := n
		for _, x := range d.screen().Things {
			if x.Kind != "select" {
				continue
			}
			if i == 0 {
				return x.Text
			}
			i--
		}
		return ""
	}
	// The clerk's hands lie on the text below both.
	for range 2 - n {
		d.key("shift+Tab")
	}
	for range 12 {
		before := now()
		d.press("Right", func() bool { return now() != before })
		if chosen = now(); chosen == want || want == "" && chosen != "整份记录" {
			break
		}
	}
	for range 2 - n {
		d.key("Tab")
	}
	return chosen
}
