// The provider sends the window of the documentation's sign-in back here; what it brought goes to the page that opened it.
// A provider may have cut the bond between the two windows, so it goes over a channel of this origin.
import { channelName } from './channel'

const channel = new BroadcastChannel(channelName)
channel.postMessage(location.search || `?${location.hash.slice(1)}`)
channel.close()
history.replaceState(null, '', location.pathname)
document.body.textContent = 'You can close this window.'
window.close()
export {}
