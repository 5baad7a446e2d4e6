export const channelName = 'fastmcp-auth documentation'
