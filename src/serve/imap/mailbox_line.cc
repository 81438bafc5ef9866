#include "serve/imap/mailbox_line.h"

namespace godwit::serve::imap_desk {

namespace {

void write_line(Conversation* c, std::string_view attributes, std::string_view name,
                std::string_view asked) {
    imap::ResponseWriter& out = c->out();
    out.raw("* LIST (").raw(attributes).raw(") \"/\" ").mailbox(name);
    if (asked != name) {
        out.raw(" (\"OLDNAME\" (").mailbox(asked).raw("))");
    }
    out.crlf();
}

}  // namespace

void write_name(Conversation* c, const store::MailboxState& mailbox, std::string_view asked) {
    // Q3: the use of a mailbox is in every LIST reply.
    write_line(c, mailbox.special_use, mailbox.name, asked);
}

void tell_other_name(Conversation* c, std::string_view attributes, std::string_view name,
                     std::string_view asked) {
    if (asked != name && c->has_enabled(Feature::Rev2)) {
        write_line(c, attributes, name, asked);
    }
}

}  // namespace godwit::serve::imap_desk
