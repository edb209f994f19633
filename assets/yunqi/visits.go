package yunqi

import (
	"fmt"
	"time"
)

// A Script is one visit as two investigators would fill it: answers in the order
// of the form 入户核查, some for questions that turn out not to be asked; the
// image questions to photograph; and who signs.
type Script struct {
	Answers []Answer
	Photos  []string // paths of image questions
	Signer  string
}

// An Answer to the question at a path.
type Answer struct{ Path, Value string }

// Absent is a visit that finds nobody at home.
func Absent(day time.Time) Script {
	s := &script{}
	s.set("/visit/outcome", "absent")
	s.set("/visit/visit_kind", "first")
	s.set("/visit/source", "review")
	s.set("/visit/revisit", day.AddDate(0, 0, 7).Format(time.DateOnly))
	s.set("/visit/not_met_note", "门锁着，邻居说去赶圩，已留条子")
	s.Photos = []string{"/visit/photo_door"}
	return s.Script
}

// Visit is a completed visit to a household on a day. Seen by another team, the
// same household gives other values for what people estimate.
func (h *Household) Visit(day time.Time, another bool) Script {
	s := &script{}
	members := h.Ordered()
	s.set("/visit/outcome", "completed", "/visit/visit_kind", "first", "/visit/source", "alert", "/visit/lang", "zhuang", "/visit/interpreter", "村里的协理员",
		"/visit/notice_given", "yes", "/visit/notice_how", "read", "/visit/mandate", "signed", "/visit/kin_staff", "no",
		"/visit/location", fmt.Sprintf("23.%04d 106.%04d 310 8", 1000+h.Number, 2000+h.Number))
	s.photo("/visit/photo_door")

	phone, safety := fmt.Sprintf("199222%05d", h.Number), "B"
	if another {
		phone, safety = fmt.Sprintf("199111%05d", h.Number), "C"
	}
	s.Signer = members[0].Fields["name"]
	s.set("/home/respondent", s.Signer, "/home/respondent_rel", "02", "/home/address", h.Fields["address"]+"（路口第二家）",
		"/home/reg_code", h.Village.Code, "/home/live_code", h.Village.Code, "/home/area", "rural", "/home/phone", phone,
		"/home/current_aid", h.Fields["aid"], "/home/aid_since", "2024-07-01", "/home/aid_amount", "300",
		"/home/cause", map[Kind]string{Elders: "no_labour", Workers: "jobless", Car: "other", Sick: "illness", Alone: "no_labour disability", Left: "no_labour school"}[h.Kind])

	for i, m := range members {
		s.member(fmt.Sprintf("/members[%d]", i+1), h, m)
	}
	s.incomes(h, members)
	s.set("/spending/utilities", "45", "/spending/phone_fee", "39", "/spending/debts", "0")
	s.set("/housing/house_structure", "brick_wood", "/housing/house_year", "1998", "/housing/house_safety", safety, "/housing/house_title", "homestead",
		"/housing/water", "tap", "/housing/water_safe", "yes", "/housing/electricity", "yes", "/housing/toilet", "dry", "/housing/fuel", "wood electric",
		"/housing/road", "walk", "/housing/walk_minutes", fmt.Sprint(5+h.Number%40), "/housing/signal", "none", "/housing/km_office", "3.5", "/housing/km_clinic", "4")
	for _, q := range []string{"eat", "wear", "live", "use"} {
		s.set("/housing/"+q+"_state", "fair")
	}
	s.set("/housing/danger", "none")
	s.photo("/housing/photo_room")
	if h.Number%2 == 0 {
		s.photo("/housing/photo_kitchen")
	}
	s.assets(h)
	s.set("/elders/elder_alone", map[Kind]string{Elders: "couple", Alone: "alone", Left: "left"}[h.Kind], "/elders/dementia", "no",
		"/elders/carer", "邻居帮看", "/elders/carer_km", "0.2", "/elders/visits_month", "1", "/elders/elder_need", "company")
	s.set("/children/child_with", map[Kind]string{Left: "grandparents"}[h.Kind], "/children/child_status", "ordinary")
	if h.Kind == Left {
		s.set("/children/child_status", "left")
	} else {
		s.set("/children/child_with", "parents")
	}
	s.set("/children/child_school", "in", "/children/vaccinated", "yes", "/children/hukou", "yes", "/children/safety_sign", "no")
	s.set("/needs_group/needs", map[Kind]string{Elders: "visiting", Workers: "job", Car: "none", Sick: "medical", Alone: "visiting", Left: "school"}[h.Kind])
	s.set("/neighbour/nb_asked", "yes", "/neighbour/nb_code", "邻居甲", "/neighbour/nb_years", "20", "/neighbour/nb_says", "说的和家里讲的差不多", "/neighbour/nb_credible", "good")
	s.set("/conclusion/summary", "家里收拾得干净，吃穿一般，收入主要靠"+map[Kind]string{Elders: "养老金和子女", Workers: "打零工", Car: "工资", Sick: "打零工，看病花销大", Alone: "养老金", Left: "孩子父母寄钱"}[h.Kind],
		"/conclusion/match_declared", "yes", "/conclusion/match_check", "na", "/conclusion/opinion", "fits", "/conclusion/opinion_why", "按入户所见",
		"/conclusion/next_visit", day.AddDate(0, 6, 0).Format(time.DateOnly))
	return s.Script
}

type script struct{ Script }

func (s *script) set(pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			s.Answers = append(s.Answers, Answer{pairs[i], pairs[i+1]})
		}
	}
}

func (s *script) photo(path string) { s.Photos = append(s.Photos, path) }

func (s *script) member(at string, h *Household, m *Member) {
	f := m.Fields
	s.set(at+"/name", f["name"], at+"/id_type", f["id_type"], at+"/id_no", f["id_no"], at+"/sex", f["sex"], at+"/birth", f["birth"], at+"/rel", f["rel"],
		at+"/ethnic", f["ethnic"], at+"/marital", f["marital"], at+"/edu", f["edu"], at+"/counted", f["counted"], at+"/residence", f["residence"],
		at+"/labour", f["labour"], at+"/job", f["job"], at+"/health", f["health"], at+"/major_ill", "no", at+"/dis_kind", f["dis_kind"],
		at+"/school", f["school"], at+"/insured", f["insured"])
	if f["labour"] == "" {
		s.set(at+"/labour", "full")
	}
	if f["school"] == "" {
		s.set(at+"/school", "none")
	}
	support := "able"
	if h.Kind == Alone {
		support = "none"
	}
	s.set(at+"/support", support, at+"/support_who", "子女，在外务工", at+"/self_care", "none", at+"/father", "ok", at+"/mother", "ok")
}

func (s *script) incomes(h *Household, members []*Member) {
	name := func(i int) string { return members[i].Fields["name"] }
	n := 0
	row := func(who int, kind, sub, amount, unit string, more ...string) {
		n++
		at := fmt.Sprintf("/incomes[%d]", n)
		s.set(at+"/who", name(who), at+"/kind", kind, at+"/sub", sub, at+"/amount", amount, at+"/unit", unit)
		for i := 0; i < len(more); i += 2 {
			s.set(at+more[i], more[i+1])
		}
		s.set(at+"/proof", "told", at+"/counts", "yes")
	}
	has := func(wage, business, property, transfer string) {
		s.set("/income/has_wage", wage, "/income/has_business", business, "/income/has_property", property, "/income/has_transfer", transfer)
	}
	monthly := []string{"/times", "12"}
	s.set("/spending/has_expense", map[bool]string{true: "yes", false: "no"}[h.Kind == Sick])
	switch h.Kind {
	case Elders:
		has("no", "yes", "no", "yes")
		row(0, "transfer", "basic_pension", "180", "month", monthly...)
		row(1, "transfer", "basic_pension", "180", "month", monthly...)
		row(0, "transfer", "support", "200", "month", monthly...)
		row(0, "business", "", "1400", "jin", "/price", "3.5", "/cost", "700")
	case Workers:
		has("yes", "yes", "no", "no")
		row(0, "wage", "", "2400", "month", "/times", "10")
		row(1, "business", "", "4200", "year", "/cost", "1000")
	case Car:
		has("yes", "no", "no", "no")
		row(0, "wage", "", "3000", "month", monthly...)
		row(1, "wage", "", "1200", "month", "/times", "6")
	case Sick:
		has("yes", "yes", "no", "no")
		row(0, "wage", "", "2500", "month", monthly...)
		row(2, "wage", "", "2500", "month", "/times", "9")
		row(0, "business", "", "3000", "year", "/cost", "600")
		at := "/expenses[1]"
		s.set(at+"/whose", name(1), at+"/spend", "medical", at+"/total", "46000", at+"/reimbursed", "28500", at+"/designated", "yes")
		s.photo(at + "/bill")
	case Alone:
		has("no", "no", "yes", "yes")
		row(0, "transfer", "basic_pension", "143", "month", monthly...)
		row(0, "transfer", "elder_subsidy", "50", "month", monthly...)
		row(0, "property", "", "1200", "year")
	case Left:
		has("no", "no", "no", "yes")
		row(0, "transfer", "support", "900", "month", monthly...)
		row(0, "transfer", "basic_pension", "180", "month", monthly...)
	}
}

func (s *script) assets(h *Household) {
	s.set("/assets/houses_count", "1", "/assets/houses_area", fmt.Sprint(60+h.Number%50), "/assets/money_range", "r1")
	if h.Kind == Car {
		s.set("/assets/veh_car_has", "some", "/assets/veh_car_count", "1", "/assets/veh_car_value", "38000", "/assets/veh_car_use", "family", "/assets/veh_car_exempt", "no")
		s.photo("/assets/photo_car")
	} else {
		s.set("/assets/veh_car_has", "none")
	}
	tools := map[bool]string{true: "some", false: "none"}[h.Kind == Workers]
	s.set("/assets/vehicles_has", tools, "/assets/business_has", "none", "/assets/livestock_has", "none",
		"/assets/land_mu", "3.2", "/assets/land_rented", "0", "/assets/appliance", "tv", "/assets/claims_has", "none", "/assets/luxury_has", "none")
	if tools == "some" {
		s.set("/vehicles[1]/vkind", "motorcycle", "/vehicles[1]/vyear", "2016", "/vehicles[1]/vvalue", "1500", "/vehicles[1]/vneed", "yes")
	}
}
