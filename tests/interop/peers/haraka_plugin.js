'use strict'
// What makes a Haraka a whole mail server for the interop cases: who is welcome, maildirs, one next hop.
// haraka.py writes config/peer.json: {mail, domains, users, next_hop, own}. The names of answers (OK, DENY ...) are Haraka's globals.
const fs = require('node:fs')
const path = require('node:path')

exports.register = function () {
    this.peer = this.config.get('peer.json', 'json')
    this.has_greeted = false
    this.number = 0
}

const is_here = (peer, address) => peer.domains.includes(address.host.toLowerCase())

exports.hook_rcpt = function (next, connection, params) {
    const to = params[0]
    if (!is_here(this.peer, to)) {
        connection.relaying = true
        return next(OK)
    }
    if (!this.peer.users.includes(to.user)) return next(DENY, '5.1.1 No such user')
    if (to.user === 'grey' && !this.has_greeted) {
        this.has_greeted = true
        return next(DENYSOFT, '4.7.1 Greylisted, try again')
    }
    next(OK)
}

// One copy for each recipient, under its name only once it is whole and on the disk.
exports.hook_queue = function (next, connection) {
    const name = `${Date.now()}.${process.pid}_${++this.number}.haraka`
    const temporary = path.join(this.peer.mail, name)
    const file = fs.createWriteStream(temporary, { flush: true })
    file.once('error', (error) => next(DENYSOFT, error.message))
    file.once('close', () => {
        for (const to of connection.transaction.rcpt_to) {
            const folder = path.join(this.peer.mail, to.user, 'new')
            fs.mkdirSync(folder, { recursive: true })
            fs.linkSync(temporary, path.join(folder, name))
        }
        fs.unlinkSync(temporary)
        next(OK)
    })
    connection.transaction.message_stream.pipe(file)
}

exports.hook_get_mx = function (next, hmail, domain) {
    const port = this.peer.domains.includes(domain) ? this.peer.own : this.peer.next_hop
    next(OK, { priority: 0, exchange: '127.0.0.1', port })
}
