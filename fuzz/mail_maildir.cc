// Names and lists of a Maildir: total, and names of folders come back.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "mail/file/maildir.h"

using namespace godwit;
using namespace godwit::mail;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const MaildirName name = parse_maildir_name(input);
    check(name.unique.size() + name.flags.size() <= size, "a name is made of what came");
    check(parse_maildir_keywords(input).size() == maildir_keywords_max, "letters a to z");
    for (const std::string& level : maildir_levels(input)) {
        check(!level.empty(), "no empty level");
        check(unescape_maildir_level(escape_maildir_level(level)) == level, "a level comes back");
    }
    (void)parse_uidlist_header(input);
    for (const int version : {1, 3}) {
        if (const auto line = parse_uidlist_line(input, version)) {
            check(line->uid != 0 && !line->unique.empty(), "a line has a UID and a name");
        }
    }
    return 0;
}
