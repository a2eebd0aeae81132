// The IAB's GPP interface behind a banner of ours: the opt-out of the US section, in a cookie of the site's own name.
import { CmpApi } from "@iabgpp/cmpapi";
const api = new CmpApi(99, 1);
api.setApplicableSections([7]);
const cookie = () => (document.cookie.match("(?:^|; )shop_privacy=([^;]*)") || [])[1];
if (cookie()) api.setGppString(decodeURIComponent(cookie()));
api.setCmpDisplayStatus("hidden");
api.setSignalStatus("ready");
const write = (yes) => {
  const value = yes ? 2 : 1;
  for (const [name, v] of Object.entries({ SaleOptOutNotice: 1, SharingOptOutNotice: 1, TargetedAdvertisingOptOutNotice: 1, SaleOptOut: value, SharingOptOut: value, TargetedAdvertisingOptOut: value, MspaCoveredTransaction: 2 }))
    api.setFieldValue("usnat", name, v);
  api.fireSectionChange("usnat");
  document.cookie = `shop_privacy=${encodeURIComponent(api.getGppString())}; path=/; max-age=31536000; SameSite=Lax`;
};
window.cmp = {
  says: () => {
    let said = null;
    __gpp("ping", (ping) => {
      const section = ping.parsedSections.usnat;
      const core = Array.isArray(section) ? section[0] : section;
      said = !core ? "unanswered" : core.SaleOptOut === 1 ? "opted_out" : "not_opted_out";
    });
    return said;
  },
  accept: ["#accept"], reject: ["#reject"], reopen: () => {}, acceptAgain: ["#accept"], rejectAgain: ["#reject"],
};
const up = () => {
  document.querySelector("#own").hidden = false;
  document.querySelector("#accept").onclick = () => write(true);
  document.querySelector("#reject").onclick = () => write(false);
};
document.readyState === "loading" ? addEventListener("DOMContentLoaded", up) : up();
