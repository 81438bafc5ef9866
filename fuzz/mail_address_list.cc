// Address lists: groups are balanced, bounds hold, nothing is lost but by a mark.
#include "mail/address/address_list.h"

#include "base/limits.h"
#include "input.h"

using namespace godwit;
using namespace godwit::mail;

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const AddressList list = parse_address_list(fuzz::as_text(bytes, size));
    bool in_group = false;
    for (const ListedAddress& item : list.items) {
        if (item.kind == ListedAddress::Kind::GroupStart) {
            check(!in_group, "groups nest");
            in_group = true;
        } else if (item.kind == ListedAddress::Kind::GroupEnd) {
            check(in_group, "a group ends that did not begin");
            in_group = false;
        } else {
            (void)item.address();
        }
    }
    check(!in_group, "a group has no end");
    check(list.items.size() <= limits::header_addresses_max + 1, "too many addresses");
    return 0;
}
